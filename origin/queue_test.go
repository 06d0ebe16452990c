package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

func isDone(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestQueue_LongestFirst(t *testing.T) {
	q := queue{most: 1}
	if ok, _ := q.take(); !ok {
		t.Fatal("no place in an empty one")
	}
	var turns []chan struct{}
	for range 3 {
		ok, turn := q.take()
		if ok || turn == nil {
			t.Fatal("a second place")
		}
		turns = append(turns, turn)
	}
	q.forget(turns[1])
	q.free()
	if !isDone(turns[0]) || isDone(turns[2]) {
		t.Error("the first was not next")
	}
	q.forget(turns[0]) // it had left just then: its place goes on
	if !isDone(turns[2]) || isDone(turns[1]) {
		t.Error("the place did not go on")
	}
	q.free()
	if q.taken != 0 || len(q.waiting) != 0 {
		t.Errorf("left: %+v", q)
	}
}

func TestQueue_IsBounded(t *testing.T) {
	q := queue{most: 1}
	q.take()
	for range maxQueue {
		if _, turn := q.take(); turn == nil {
			t.Fatal("full too early")
		}
	}
	if ok, turn := q.take(); ok || turn != nil {
		t.Error("longer than it may be")
	}
}

// Whatever comes and goes: never more than the limit have a place, and in the end all are free.
func TestQueue_AnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		q, have := queue{most: 1 + r.IntN(3)}, 0
		var waiting []chan struct{}
		for range 300 {
			switch r.IntN(3) {
			case 0:
				if ok, turn := q.take(); ok {
					have++
				} else {
					waiting = append(waiting, turn)
				}
			case 1:
				if have > 0 {
					have--
					q.free()
				}
			case 2:
				if n := len(waiting); n > 0 {
					i := r.IntN(n)
					q.forget(waiting[i])
					waiting = append(waiting[:i], waiting[i+1:]...)
				}
			}
			for i := 0; i < len(waiting); i++ {
				if isDone(waiting[i]) {
					have++
					waiting = append(waiting[:i], waiting[i+1:]...)
					i--
				}
			}
			if have != q.taken || have > q.most || len(waiting) != len(q.waiting) || len(waiting) > 0 && have < q.most {
				t.Fatalf("%d have a place of %d, %d taken; %d wait of %d", have, q.most, q.taken, len(waiting), len(q.waiting))
			}
		}
	}
}

// crowded is a client that lets n requests at once go to an origin whose bodies end when the test says so.
func crowded(t *testing.T, n int) (c *Client, o *distribution.Origin, end chan struct{}) {
	end = make(chan struct{})
	c = piped(t, func(nc net.Conn, _ int) {
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo")
		<-end
		io.WriteString(nc, "dy")
	})
	c.most = n
	o = distant()
	o.ConnectionAttempts = 1
	return c, o, end
}

func TestQueue_APlaceLastsUntilTheBodyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o, end := crowded(t, 2)
		one, err := c.Fetch(t.Context(), o, get("/1"))
		if err != nil {
			t.Fatal(err)
		}
		two, err := c.Fetch(t.Context(), o, get("/2"))
		if err != nil {
			t.Fatal(err)
		}
		if got := asked(t, c, o, "/3"); got != "Busy after 10s" {
			t.Errorf("the third: %s", got)
		}
		third := make(chan string)
		go func() { third <- asked(t, c, o, "/3") }()
		synctest.Wait()
		time.Sleep(3 * time.Second)
		one.Body.Close()
		synctest.Wait()
		close(end)
		if got := <-third; got != "200 after 3s" {
			t.Errorf("after a place is free: %s", got)
		}
		if b, err := io.ReadAll(two.Body); string(b) != "body" || err != nil {
			t.Errorf("the second: %q, %v", b, err)
		}
		two.Body.Close()
		for _, p := range c.pools {
			if p.line.taken != 0 {
				t.Errorf("%d places are not free", p.line.taken)
			}
		}
		time.Sleep(2 * time.Second) // connections expire
	})
}

func TestQueue_WhoLeavesWaitsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o, end := crowded(t, 1)
		one, err := c.Fetch(t.Context(), o, get("/1"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Fetch(ctx, o, get("/2")); kindOf(err) != "Canceled" {
			t.Errorf("the second: %v", err)
		}
		close(end)
		one.Body.Close()
		if got := asked(t, c, o, "/3"); got != "200 after 0s" {
			t.Errorf("the third: %s", got)
		}
		time.Sleep(2 * time.Second)
	})
}

// Who waits for a place at an address that goes down meanwhile is told so when its turn comes.
func TestQueue_WhoWaitedIsNotSentToAnOriginThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, dials, _ := patient(t)
		c.most = 1
		o := distant()
		o.ConnectionTimeout = time.Second
		got := make(chan string, 20)
		for range cap(got) {
			go func() {
				_, err := c.Fetch(t.Context(), o, get("/a"))
				var e *Error
				errors.As(err, &e)
				got <- kindOf(e)
			}()
		}
		count := map[string]int{}
		for range cap(got) {
			count[<-got]++
		}
		if n := dials.Load(); n > openAfter+2 || count["Down"]+count["Busy"] < 15 {
			t.Errorf("%d connections, %v", n, count)
		}
	})
}

// Refused connections and broken answers give their places back too.
func TestQueue_FailuresGiveTheirPlacesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answer := range []string{"", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "HTTP/1.1 204 No\r\n\r\n"} {
			c := piped(t, func(nc net.Conn, _ int) { io.WriteString(nc, answer) })
			c.most = 1
			o := distant()
			for i := range 4 {
				if got := asked(t, c, o, fmt.Sprint("/", i)); got == "Busy after 10s" {
					t.Errorf("%q: %s", answer, got)
				}
				_, resp, err := c.Upgrade(t.Context(), o, get("/ws"))
				if err == nil {
					resp.Body.Close()
				} else if kindOf(err) == "Busy" {
					t.Errorf("%q: a handshake is busy", answer)
				}
				for _, p := range c.pools {
					if p.line.taken != 0 {
						t.Fatalf("%q: %d places are not free", answer, p.line.taken)
					}
				}
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// A WebSocket has its place for as long as it lasts.
func TestQueue_OfWebSockets(t *testing.T) {
	o, _ := liar(t, func(c net.Conn, _ int, _ string) {
		io.WriteString(c, agreed+"\r\n")
		io.Copy(io.Discard, c)
	})
	c := client(t, Config{MaxRequests: 1})
	tunnel, _, err := c.Upgrade(t.Context(), o, handshake())
	if err != nil {
		t.Fatal(err)
	}
	patience := o.ConnectionTimeout
	o.ConnectionTimeout = 10 * time.Millisecond // of who waits for a place: nobody connects
	if _, err := c.Fetch(t.Context(), o, get("/a")); kindOf(err) != "Busy" {
		t.Errorf("beside it: %v", err)
	}
	o.ConnectionTimeout = patience
	tunnel.Close()
	second, _, err := c.Upgrade(t.Context(), o, handshake())
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestQueue_ManyAtOnce(t *testing.T) {
	o, _ := liar(t, func(c net.Conn, n int, head string) { io.WriteString(c, okLong+"answer") })
	c := client(t, Config{MaxRequests: 3})
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, body, err := fetchAll(t, c, o, get("/a")); err != nil || body != "answer" {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
	all.Wait()
	for _, p := range c.pools {
		if p.line.taken != 0 || len(p.idle) > 3 {
			t.Errorf("%d places are not free, %d connections idle", p.line.taken, len(p.idle))
		}
	}
}
