package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

// patient has an origin to which no connection comes about until it is told that it does; then it answers.
func patient(t *testing.T) (c *Client, up *atomic.Bool, dials *atomic.Int32, told *[]string) {
	up, dials, told = new(atomic.Bool), new(atomic.Int32), new([]string)
	c = piped(t, func(nc net.Conn, _ int) { io.WriteString(nc, okLong+"answer") })
	c.changed = func(o Outage, down bool) {
		*told = append(*told, fmt.Sprintf("%s %v %v", o.Address, o.Failure.Kind, down))
	}
	connect := c.dial
	c.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		if up.Load() {
			return connect(ctx, network, addr)
		}
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}
	return c, up, dials, told
}

func distant() *distribution.Origin {
	o := slow()
	o.ConnectionTimeout, o.ConnectionAttempts, o.KeepaliveTimeout = 10*time.Second, 3, time.Second
	return o
}

// asked fetches and says what came of it, and how long it took.
func asked(t *testing.T, c *Client, o *distribution.Origin, path string) string {
	t.Helper()
	began := time.Now()
	r, _, err := fetchAll(t, c, o, get(path))
	if err != nil {
		return fmt.Sprintf("%s after %v", kindOf(err), time.Since(began))
	}
	return fmt.Sprintf("%d after %v", r.Status, time.Since(began))
}

func TestDown_NobodyWaitsForAnOriginThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, up, dials, told := patient(t)
		o := distant()
		for i, want := range []string{
			"ConnectTimeout after 30s", // three attempts
			"ConnectTimeout after 20s", // the second one opens the circuit, and there is no third
			"Down after 0s",
		} {
			if got := asked(t, c, o, "/a"); got != want {
				t.Fatalf("%d: %s, want %s", i, got, want)
			}
		}
		down := c.Down()
		if len(down) != 1 || down[0].Address != "origin.example:80" || down[0].Failure.Kind != ConnectTimeout || !down[0].Since.Equal(time.Now()) {
			t.Errorf("down: %+v", down)
		}
		// The error says why, and when to come again.
		_, _, err := fetchAll(t, c, o, get("/a"))
		var e, cause *Error
		if !errors.As(err, &e) || e.Retry != minPause || !errors.As(e.Err, &cause) || cause.Kind != ConnectTimeout {
			t.Errorf("error %+v", err)
		}
		time.Sleep(minPause)
		if got := asked(t, c, o, "/a"); got != "ConnectTimeout after 10s" { // a probe is one attempt
			t.Errorf("the probe: %s", got)
		}
		up.Store(true)
		before := dials.Load()
		if got := asked(t, c, o, "/a"); got != "Down after 0s" || dials.Load() != before {
			t.Errorf("within the pause: %s, %d dials", got, dials.Load()-before)
		}
		time.Sleep(maxPause)
		for range 2 {
			if got := asked(t, c, o, "/a"); got != "200 after 0s" {
				t.Errorf("back: %s", got)
			}
		}
		if len(c.Down()) != 0 || fmt.Sprint(*told) != "[origin.example:80 ConnectTimeout true origin.example:80 ConnectTimeout false]" {
			t.Errorf("told %q, down %v", *told, c.Down())
		}
		time.Sleep(2 * time.Second) // connections expire
	})
}

// While a probe is on its way the others do not wait for it.
func TestDown_OneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, dials, _ := patient(t)
		o := distant()
		asked(t, c, o, "/a")
		asked(t, c, o, "/a")
		time.Sleep(minPause)
		before := dials.Load()
		probe := make(chan string)
		go func() { probe <- asked(t, c, o, "/a") }()
		synctest.Wait()
		for range 100 {
			if got := asked(t, c, o, "/b"); got != "Down after 0s" {
				t.Fatalf("beside the probe: %s", got)
			}
		}
		if n := dials.Load() - before; n != 1 {
			t.Errorf("%d connections, want the probe's", n)
		}
		if got := <-probe; got != "ConnectTimeout after 10s" {
			t.Errorf("the probe: %s", got)
		}
	})
}

// Errors are answers.
func TestDown_ErrorsAreAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answer := range []string{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "garbage\r\n\r\n"} {
			c := piped(t, func(nc net.Conn, _ int) { io.WriteString(nc, answer) })
			for i := range 20 {
				if got := asked(t, c, distant(), fmt.Sprint("/", i)); got == "Down after 0s" {
					t.Fatalf("%q: down", answer)
				}
				time.Sleep(time.Second)
			}
		}
	})
}

// A viewer that leaves says nothing about the origin, and gives the probe's place free.
func TestDown_ProbeOfAViewerWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, up, _, _ := patient(t)
		o := distant()
		asked(t, c, o, "/a")
		asked(t, c, o, "/a")
		time.Sleep(minPause)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Fetch(ctx, o, get("/a")); kindOf(err) != "Canceled" {
			t.Errorf("the probe: %v", err)
		}
		up.Store(true)
		if got := asked(t, c, o, "/a"); got != "200 after 0s" {
			t.Errorf("the next: %s", got)
		}
		time.Sleep(2 * time.Second)
	})
}

// What decides is the address: other settings of it share its circuit, another address does not.
func TestDown_IsOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, up, _, _ := patient(t)
		o := distant()
		asked(t, c, o, "/a")
		asked(t, c, o, "/a")
		hasty, other := *o, *o
		hasty.ReadTimeout = time.Second
		other.DomainName = "other.example"
		if got := asked(t, c, &hasty, "/b"); got != "Down after 0s" {
			t.Errorf("by other settings: %s", got)
		}
		up.Store(true)
		if got := asked(t, c, &other, "/b"); got != "200 after 0s" {
			t.Errorf("another address: %s", got)
		}
		if _, _, err := c.Upgrade(t.Context(), o, get("/ws")); kindOf(err) != "Down" {
			t.Errorf("a handshake: %v", err)
		}
		time.Sleep(2 * time.Second)
	})
}
