package origin

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

// piped is a client whose connections are pipes to answer, so that time can be virtual.
func piped(t *testing.T, answer func(c net.Conn, n int)) *Client {
	t.Helper()
	var answering sync.WaitGroup
	t.Cleanup(answering.Wait) // a bubble must be empty at its end
	c := client(t, Config{})
	n := 0
	c.dial = func(context.Context, string, string) (net.Conn, error) {
		n++
		near, far := net.Pipe()
		this := n
		answering.Go(func() {
			defer far.Close()
			if _, err := readHead(bufio.NewReader(far)); err == nil {
				answer(far, this)
			}
		})
		return near, nil
	}
	return c
}

func slow() *distribution.Origin {
	o := originAt("origin.example:80")
	o.ReadTimeout = 30 * time.Second
	return o
}

const okLong = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"

func TestTimeout_FirstOctet(t *testing.T) {
	for _, c := range []struct {
		name, method string
		s3           bool
		want         time.Duration
	}{
		{"GET is asked three times", "GET", false, 90 * time.Second},
		{"POST once", "POST", false, 30 * time.Second},
		{"S3 once", "GET", true, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := piped(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) })
				o := slow()
				o.S3 = c.s3
				began := time.Now()
				_, _, err := fetchAll(t, cl, o, &Request{Method: c.method, Path: "/"})
				if kindOf(err) != "ReadTimeout" || time.Since(began) != c.want {
					t.Errorf("%v after %v, want ReadTimeout after %v", err, time.Since(began), c.want)
				}
			})
		})
	}
}

func TestTimeout_SecondAttemptAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, func(nc net.Conn, n int) {
			if n == 2 {
				io.WriteString(nc, okLong+"abcdef")
			}
			io.Copy(io.Discard, nc)
		})
		resp, body, err := fetchAll(t, c, slow(), get("/"))
		if err != nil || body != "abcdef" || resp.Attempts != 2 || resp.FirstByte != 30*time.Second {
			t.Errorf("%+v %q %v", resp, body, err)
		}
	})
}

// The read timeout is between octets: a slow answer that keeps moving is fine however long it takes.
func TestTimeout_BetweenOctets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drip := func(pause time.Duration) *Client {
			return piped(t, func(nc net.Conn, _ int) {
				io.WriteString(nc, okLong)
				for _, b := range []byte("abcdef") {
					time.Sleep(pause)
					nc.Write([]byte{b})
				}
			})
		}
		if _, body, err := fetchAll(t, drip(29*time.Second), slow(), get("/")); err != nil || body != "abcdef" {
			t.Errorf("29 s between octets: %q %v", body, err)
		}
		if _, body, err := fetchAll(t, drip(31*time.Second), slow(), get("/")); kindOf(err) != "ReadTimeout" || body != "" {
			t.Errorf("31 s between octets: %q %v", body, err)
		}
	})
}

// What the reader does between reads is not the origin's time.
func TestTimeout_SlowReaderIsNotASlowOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, func(nc net.Conn, _ int) { io.WriteString(nc, okLong+"abcdef") })
		resp, err := c.Fetch(t.Context(), slow(), get("/"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		one := make([]byte, 1)
		for range 6 {
			time.Sleep(time.Hour)
			if _, err := io.ReadFull(resp.Body, one); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTimeout_CompletionBoundsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := slow()
		o.ResponseCompletionTimeout = 45 * time.Second
		began := time.Now()
		_, _, err := fetchAll(t, piped(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) }), o, get("/"))
		if kindOf(err) != "ReadTimeout" || time.Since(began) != 45*time.Second {
			t.Errorf("silent: %v after %v", err, time.Since(began))
		}
		began = time.Now()
		_, body, err := fetchAll(t, piped(t, func(nc net.Conn, _ int) {
			io.WriteString(nc, okLong)
			for _, b := range []byte("abcdef") {
				time.Sleep(20 * time.Second)
				nc.Write([]byte{b})
			}
		}), o, get("/"))
		if kindOf(err) != "ReadTimeout" || time.Since(began) != 45*time.Second || body != "ab" {
			t.Errorf("dripping: %q %v after %v", body, err, time.Since(began))
		}
	})
}

func TestTimeout_Connect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, Config{})
		c.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		_, _, err := fetchAll(t, c, slow(), get("/"))
		if kindOf(err) != "ConnectTimeout" || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v, want three attempts of 10 s", err, time.Since(began))
		}
	})
}

func TestTimeout_OriginThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, Config{})
		c.dial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			t.Cleanup(func() { far.Close() })
			return near, nil
		}
		began := time.Now()
		_, _, err := fetchAll(t, c, slow(), &Request{Method: "PUT", Path: "/"})
		if kindOf(err) != "ReadTimeout" || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
