package httpserver

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/warmfront/warmfront/internal/pages"
)

func octetsInPages(t *testing.T, n int) *pages.Octets {
	t.Helper()
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	o := pages.New(int64(n)).Copy(b)
	if o == nil {
		t.Fatal("no pages")
	}
	return o
}

// What is spliced arrives like what is copied: behind what was answered before it, in order, whole.
func TestSplice_ArrivesInOrder(t *testing.T) {
	for _, size := range []int{pages.Least, pages.Least + 1, 100_001, pipeRoom, 3<<20 + 7} {
		h := &hits{pages: octetsInPages(t, size)}
		addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				c := dial(t, addr)
				go func() {
					for range 3 {
						io.WriteString(c, get("/hit")+get("/pages")+get("/pages")+get("/handler")+"HEAD /pages HTTP/1.1\r\nHost: h\r\n\r\n"+get("/large"))
					}
				}()
				br := bufio.NewReader(c)
				for range 3 {
					for _, want := range [][]byte{[]byte("/hit"), h.pages.Bytes(), h.pages.Bytes(), nil, {}, largeBody} {
						method := "GET"
						if want != nil && len(want) == 0 {
							method = "HEAD"
						}
						a, err := http.ReadResponse(br, &http.Request{Method: method})
						if err != nil {
							t.Error(err)
							return
						}
						got, err := io.ReadAll(a.Body)
						if err != nil || want != nil && !bytes.Equal(got, want) {
							t.Errorf("%d octets: got %d, want %d, %v", size, len(got), len(want), err)
							return
						}
					}
				}
			})
		}
		all.Wait()
	}
}

func TestSplice_CutWhenTheViewerLeaves(t *testing.T) {
	h := &hits{pages: octetsInPages(t, 32<<20), done: make(chan done, 1)}
	addr, stop := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	c := dial(t, addr)
	io.WriteString(c, get("/pages"))
	if _, err := io.ReadFull(c, make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if d := <-h.done; !d.cut || d.octets < 2<<20 || d.octets >= 32<<20 {
		t.Errorf("%+v", d)
	}
	stop()
}

func TestPipes_Bounded(t *testing.T) {
	var ps pipes
	a := ps.get()
	if a == nil || ps.get() == nil || ps.open != 2 {
		t.Fatalf("no pipe, or not two: %d", ps.open)
	}
	ps.put(a)
	if ps.get() != a || ps.open != 2 {
		t.Error("a pipe that came back is not used again")
	}
	a.held = 1
	ps.put(a)
	if ps.open != 1 || len(ps.free) != 0 {
		t.Error("a pipe with octets in it is kept")
	}
	ps.open = maxPipes
	if ps.get() != nil {
		t.Error("one too many")
	}
	ps.open = 1
	b := ps.get()
	ps.put(b)
	ps.close()
	if ps.open != 1 || ps.free != nil {
		t.Errorf("%d open after close, of which one is borrowed", ps.open)
	}
}

func TestPipes_LeaveDescriptorsToOthers(t *testing.T) {
	for descriptors, want := range map[uint64]int{0: 0, 1024: 16, 20000: 312, 65536: 1024, 1 << 20: 1024, 1<<64 - 1: 1024} {
		if got := pipesOf(descriptors); got != want {
			t.Errorf("%d descriptors: %d pipes, want %d", descriptors, got, want)
		}
	}
}
