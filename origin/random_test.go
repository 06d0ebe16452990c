package origin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

// moody is an origin that answers each request with its own path, many times over, in all the ways in
// which an origin may answer, or break.
func moody(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	var serving sync.WaitGroup
	go func() {
		defer close(accepting)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer nc.Close()
				br := bufio.NewReader(nc)
				for {
					head, err := readHead(br)
					if err != nil || !mood(nc, br, head) {
						return
					}
				}
			})
		}
	}()
	t.Cleanup(func() { l.Close(); <-accepting; serving.Wait() })
	return l.Addr().String()
}

// bodyOf is the body that belongs to a path.
func bodyOf(path string) string {
	n, _ := strconv.Atoi(path[strings.LastIndexByte(path, '-')+1:])
	return strings.Repeat(path+"\n", n)
}

const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

// mood answers one request and tells whether the connection goes on.
func mood(nc net.Conn, br *bufio.Reader, head string) bool {
	method, rest, _ := strings.Cut(head, " ")
	path, _, _ := strings.Cut(rest, " ")
	mood := rand.IntN(20)
	if method == "POST" && mood > 2 { // otherwise it answers before it has read
		io.CopyN(io.Discard, br, 5)
	}
	body := bodyOf(path)
	a := ""
	for range rand.IntN(3) {
		a += "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
	}
	switch mood {
	case 3: // nothing
		return false
	case 4, 5: // until the end
		io.WriteString(nc, a+"HTTP/1.1 200 OK\r\n\r\n"+body)
		return false
	case 6, 7, 8, 9, 10:
		a += "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		for rest := body; rest != ""; {
			n := min(1+rand.IntN(40000), len(rest))
			a += fmt.Sprintf("%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		a += "0\r\n\r\n"
	default:
		a += fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	last := ""
	switch mood {
	case 6, 11: // More than it said. What comes after the next request has gone out cannot be told from its answer,
		// so it is sent together with the end.
		a, last = a[:len(a)-4], a[len(a)-4:]+evil[:len(evil)-rand.IntN(2)*rand.IntN(len(evil))]
	case 7, 12: // less than it said
		a = a[:rand.IntN(len(a))]
	}
	for a != "" {
		n := min(1+rand.IntN(30000), len(a))
		if _, err := io.WriteString(nc, a[:n]); err != nil {
			return false
		}
		a = a[n:]
	}
	io.WriteString(nc, last)
	switch mood {
	case 0, 1, 2, 7, 12, 13: // it closes an idle connection, or has not read the request
		return false
	}
	return true
}

// readAll fetches and reads the body into memory of a random size, or leaves it.
func readAll(ctx context.Context, c *Client, o *distribution.Origin, r *Request) (string, error) {
	resp, err := c.Fetch(ctx, o, r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if rand.IntN(10) == 0 {
		return "", errors.New("left")
	}
	var all []byte
	for p := make([]byte, 1+rand.IntN(50000)); ; {
		n, err := resp.Body.Read(p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			return string(all), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Whatever origins do: who gets an answer to its end gets its own.
func TestReuse_NobodyGetsAnothersAnswer(t *testing.T) {
	o := originAt(moody(t))
	c := client(t, Config{MaxIdlePerHost: 4})
	var whole, failed atomic.Int32
	var asking sync.WaitGroup
	for g := range 8 {
		asking.Go(func() {
			for i := range 200 {
				r := get(fmt.Sprintf("/%d-%d-%d", g, i, rand.IntN(4000)*rand.IntN(2)))
				ctx, cancel := context.WithCancel(t.Context())
				switch rand.IntN(6) {
				case 0:
					r.Method, r.Body, r.ContentLength = "POST", strings.NewReader("abcde"), 5
				case 1:
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(rand.IntN(1000))*time.Microsecond)
				}
				body, err := readAll(ctx, c, o, r)
				cancel()
				if err != nil {
					failed.Add(1)
					continue
				}
				whole.Add(1)
				if want := bodyOf(r.Path); body != want {
					t.Errorf("%s %s: %d octets %.60q", r.Method, r.Path, len(body), body)
				}
			}
		})
	}
	asking.Wait()
	if whole.Load() < 500 || failed.Load() < 50 {
		t.Errorf("%d whole answers, %d failures: this has tested little", whole.Load(), failed.Load())
	}
}
