package jetstream

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// socket is a connection whose Read gives all that has come, or waits.
type socket struct {
	net.Conn // nil
	mu       sync.Mutex
	come     *sync.Cond
	octets   []byte
	over     bool
	reads    int
}

func newSocket() *socket {
	s := &socket{}
	s.come = sync.NewCond(&s.mu)
	return s
}

func (s *socket) comes(n int, over bool) {
	s.mu.Lock()
	s.octets, s.over = append(s.octets, make([]byte, n)...), over
	s.mu.Unlock()
	s.come.Signal()
}

func (s *socket) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	for len(s.octets) == 0 && !s.over {
		s.come.Wait()
	}
	n := copy(p, s.octets)
	s.octets = s.octets[n:]
	if len(s.octets) == 0 && s.over {
		return n, io.EOF
	}
	return n, nil
}

// What comes in a stream is read some at a time, all of it, and none later than the pause.
func TestGathered_AStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages, size = 3000, 100
		s := newSocket()
		c := gather(s)
		sent := make(chan time.Time, messages)
		go func() {
			for range messages {
				time.Sleep(time.Millisecond)
				sent <- time.Now()
				s.comes(size, false)
			}
			s.comes(0, true)
		}()
		b, got := make([]byte, size), 0
		for ; ; got++ {
			if _, err := io.ReadFull(c, b); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if late := time.Since(<-sent); late > readPause {
				t.Fatalf("message %d came %v late", got, late)
			}
		}
		if most := messages/5 + 2*readBurst; got != messages || s.reads > most {
			t.Errorf("%d of %d messages in %d reads, at most %d", got, messages, s.reads, most)
		}
	})
}

// What comes alone is read at once: so are a few, as when a connection begins.
func TestGathered_AFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSocket()
		c := gather(s)
		b := make([]byte, 10)
		for range 5 {
			began := time.Now()
			for range readBurst {
				s.comes(len(b), false)
				if _, err := io.ReadFull(c, b); err != nil {
					t.Fatal(err)
				}
			}
			if d := time.Since(began); d != 0 {
				t.Errorf("the last came %v late", d)
			}
			time.Sleep(time.Second)
		}
	})
}

// Who catches up is not slowed down.
func TestGathered_MuchAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSocket()
		c := gather(s)
		s.comes(100*readRoom+1, true)
		began := time.Now()
		n, err := io.Copy(io.Discard, c)
		if err != nil || n != 100*readRoom+1 || time.Since(began) > readPause {
			t.Errorf("%d octets in %v: %v", n, time.Since(began), err)
		}
	})
}

// Who catches up asks again and again: each answer is long, and ends with a read that finds little.
func TestGathered_QuestionByQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSocket()
		c := gather(s)
		began := time.Now()
		for range 200 {
			s.comes(2*readRoom, false)
			if _, err := io.CopyN(io.Discard, c, 2*readRoom); err != nil {
				t.Fatal(err)
			}
			s.comes(100, false)
			if _, err := io.CopyN(io.Discard, c, 100); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(began); d > readPause {
			t.Errorf("slowed down by %v", d)
		}
	})
}
