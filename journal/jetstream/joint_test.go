package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// asking is a joint question whose turn and whose answers a test gives.
type asking struct {
	joint[string, int]
	turn   chan struct{}
	answer chan int
	asked  int
}

func (a *asking) do(ctx context.Context, key string) (int, error) {
	return a.joint.do(ctx, key, func(ctx context.Context) error {
		select {
		case <-a.turn:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, func(ctx context.Context) (int, error) {
		a.asked++
		select {
		case n := <-a.answer:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
}

func TestJoint_WhoComesBeforeItIsAskedGetsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asking{turn: make(chan struct{}), answer: make(chan int)}
		got := map[string][]int{}
		var mu sync.Mutex
		ask := func(name, key string) {
			go func() {
				n, err := a.do(t.Context(), key)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				got[name] = append(got[name], n)
				mu.Unlock()
			}()
			synctest.Wait()
		}
		for range 3 {
			ask("before", "x")
		}
		ask("another", "y")
		a.turn <- struct{}{} // x: it has waited for longer
		synctest.Wait()
		ask("after", "x")
		a.answer <- 1
		a.turn <- struct{}{} // y
		a.answer <- 2
		a.turn <- struct{}{}
		a.answer <- 3
		synctest.Wait()
		if a.asked != 3 || !slices.Equal(got["before"], []int{1, 1, 1}) || !slices.Equal(got["another"], []int{2}) || !slices.Equal(got["after"], []int{3}) {
			t.Errorf("asked %d times: %v", a.asked, got)
		}
	})
}

func TestJoint_WhoGivesUpDoesNotTakeTheOthersAlong(t *testing.T) {
	for name, gone := range map[string]func(*asking, context.CancelFunc){
		"before it is asked": func(_ *asking, cancel context.CancelFunc) { cancel() },
		"then": func(a *asking, cancel context.CancelFunc) {
			a.turn <- struct{}{}
			synctest.Wait()
			cancel()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &asking{turn: make(chan struct{}), answer: make(chan int)}
				ctx, cancel := context.WithCancel(t.Context())
				first, others := make(chan error, 1), make(chan int, 2)
				go func() {
					_, err := a.do(ctx, "x")
					first <- err
				}()
				synctest.Wait()
				for range 2 {
					go func() {
						n, err := a.do(t.Context(), "x")
						if err != nil {
							t.Error(err)
						}
						others <- n
					}()
				}
				synctest.Wait()
				gone(a, cancel)
				if err := <-first; !errors.Is(err, context.Canceled) {
					t.Errorf("who gave up got %v", err)
				}
				synctest.Wait()
				a.turn <- struct{}{}
				a.answer <- 7
				if x, y := <-others, <-others; x != 7 || y != 7 {
					t.Errorf("the others got %d and %d", x, y)
				}
			})
		})
	}
}

func TestSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s spaced
		began := time.Now()
		for _, want := range []time.Duration{0, 20, 40} {
			if err := s.turn(t.Context(), 20*time.Millisecond); err != nil || time.Since(began) != want*time.Millisecond {
				t.Errorf("%v after %v, want %v", err, time.Since(began), want)
			}
		}
		<-time.After(time.Second)
		if s.turn(t.Context(), 20*time.Millisecond); time.Since(began) != 1040*time.Millisecond {
			t.Errorf("after a pause, at %v", time.Since(began))
		}
	})
}

// Hundreds of edges of one process probe under one name, of which so many are not answered at once.
func TestProbe_AThousandAtOnceInOneProcess(t *testing.T) {
	t.Parallel()
	l := open(t, Config{Dir: t.TempDir()})
	var mu sync.Mutex
	asked, came := 0, make(chan struct{})
	stop, err := l.ServeProbes(func(ctx context.Context) (uint64, error) { // as slow as a Tick for so many
		mu.Lock()
		defer mu.Unlock()
		asked++
		<-came
		return 7, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	const many = 1024
	failed := make(chan error, many)
	for range many {
		go func() {
			z, err := l.Probe(t.Context())
			if err == nil && z != 7 {
				err = fmt.Errorf("answered %d", z)
			}
			failed <- err
		}()
	}
	eventually(t, "the first is asked, and others wait", func() bool {
		l.probing.mu.Lock()
		defer l.probing.mu.Unlock()
		return len(l.probing.waiting) > 0
	})
	close(came)
	for range many {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	if asked > many/4 {
		t.Errorf("asked %d times", asked)
	}
}

// However many edges come back at once, each has its answer.
func TestDesk_AThousandReadsAtOnce(t *testing.T) {
	t.Parallel()
	l := open(t, Config{Dir: t.TempDir()})
	stop, err := l.ServeEdges(Desk{})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range mostDeskReads {
		if err := l.deskReads.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const many = 1024
	answers, err := l.nc.SubscribeSync("*.answer")
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Unsubscribe()
	if err := answers.SetPendingLimits(2*many, -1); err != nil {
		t.Fatal(err)
	}
	for i := range many {
		ask, name := `{"From":1,"Max":10}`, fmt.Sprint("e", i)
		if i == many-1 {
			ask = `{"From":1,"Max":1}`
		}
		if err := l.nc.PublishRequest(readPrefix+name, inbox+"_"+name+".answer", []byte(ask)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the last of them has come", func() bool {
		l.desking.mu.Lock()
		defer l.desking.mu.Unlock()
		return l.desking.waiting[readQuestion{1, 1}] != nil
	})
	for range mostDeskReads {
		l.deskReads.leave()
	}
	for i := range many {
		m, err := answers.NextMsg(readTimeout)
		if err != nil {
			t.Fatalf("%d of %d are answered: %v", i, many, err)
		}
		if head, entry, _ := strings.Cut(string(m.Data), "\n"); head != "{}" || !strings.Contains(entry, `"Seq":1,`) {
			t.Fatalf("answered %s", m.Data)
		}
	}
}
