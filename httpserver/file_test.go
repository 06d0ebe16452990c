package httpserver

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// inFile is a part of a file that begins at 1000. After gone calls of Hold its octets are gone.
type inFile struct {
	*os.File
	octets []byte
	direct bool
	prompt bool
	gone   int64 // 0: never
	calls  atomic.Int64
	held   atomic.Int64
}

const fileAt = 1000

// inFiles are the ways that a part may go.
var inFiles = []inFile{{}, {direct: true}, {direct: true, prompt: true}}

func newInFile(t *testing.T, size int, way *inFile) *inFile {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p := &inFile{File: f, octets: make([]byte, size), direct: way.direct, prompt: way.prompt}
	rand.NewChaCha8([32]byte{2}).Read(p.octets)
	if _, err := f.WriteAt(p.octets, fileAt); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *inFile) Size() int64 { return int64(len(p.octets)) }

func (p *inFile) Hold() bool {
	if n := p.calls.Add(1); p.gone > 0 && n > p.gone {
		return false
	}
	p.held.Add(1)
	return true
}

func (p *inFile) Release() { p.held.Add(-1) }

func (p *inFile) Descriptor() (fd uintptr, off int64, ok bool) { return p.Fd(), fileAt, p.direct }

func (p *inFile) Prompt() bool { return p.prompt }

func (p *inFile) ReadAt(b []byte, off int64) (int, error) {
	return p.File.ReadAt(b[:min(len(b), len(p.octets)-int(off))], fileAt+off)
}

// What lies in a file arrives like anything else: behind what was answered before it, in order, whole. By the kernel, where
// there is a descriptor, and otherwise by reading.
func TestFile_ArrivesInOrder(t *testing.T) {
	for _, size := range []int{1, 5000, 100_001, 3<<20 + 7} {
		for way := range inFiles {
			p := newInFile(t, size, &inFiles[way])
			h := &hits{file: p}
			addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					c := dial(t, addr)
					go io.WriteString(c, get("/hit")+get("/file")+get("/file")+get("/handler")+"HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n"+get("/large"))
					br := bufio.NewReader(c)
					for _, want := range [][]byte{[]byte("/hit"), p.octets, p.octets, nil, {}, largeBody} {
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
				})
			}
			all.Wait()
			if p.held.Load() != 0 {
				t.Errorf("%d holds are left", p.held.Load())
			}
		}
	}
}

// What the kernel has in hand at once is never less than a segment, together with what is sent in front of it, unless it is alone
// in its call.
func TestFile_Pieces(t *testing.T) {
	for _, x := range []struct{ base, at, behind, want int64 }{
		{0, 0, 0, mostSent},
		{0, 0, 500, mostSent},
		{7, 0, 500, mostSent - 7},
		{500, 0, 500, mostSent - 500},
		{501, 0, 500, oneSplice - 501},
		{pageSize - 1, 0, 500, oneSplice - pageSize + 1},
		{7, pageSize - 7, 500, mostSent},      // the viewer took so much, and then waited
		{7, pageSize, 500, oneSplice - 7},     // what was in front of it has left
		{0, mostSent, 500, mostSent},          //
		{501, oneSplice - 501, 500, mostSent}, // one call later
		{501, 2 * oneSplice, 500, oneSplice - 501},
	} {
		f := fileOut{base: x.base, at: x.at, off: x.base + x.at, behind: x.behind}
		if got := f.piece(); got != x.want || (x.base+x.at+got)%pageSize != 0 {
			t.Errorf("%+v: %d", x, got)
		}
	}
}

// The viewer sees a cut when the octets are gone in the middle, when the file is shorter than it should be, and the answerer
// hears of that, and of a viewer who leaves.
func TestFile_Cut(t *testing.T) {
	const size = 16 << 20 // more than all sockets take
	for way := range inFiles {
		for name, spoil := range map[string]func(p *inFile){
			"gone at once": func(p *inFile) { p.gone = 1; p.Hold(); p.Release() },
			"gone":         func(p *inFile) { p.gone = 2 },
			"short":        func(p *inFile) { p.Truncate(fileAt + size/2) },
			"empty":        func(p *inFile) { p.Truncate(0) },
			"left":         nil,
		} {
			p := newInFile(t, size, &inFiles[way])
			h := &hits{file: p, done: make(chan done, 1)}
			if spoil != nil {
				spoil(p)
			}
			addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
			c := dial(t, addr)
			io.WriteString(c, get("/file"))
			a, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if spoil == nil {
				io.ReadFull(a.Body, make([]byte, 1<<20))
				c.Close()
			} else if got, err := io.ReadAll(a.Body); err == nil || !bytes.HasPrefix(p.octets, got) {
				t.Errorf("%s: %d octets, %v", name, len(got), err)
			}
			if d := <-h.done; !d.cut || d.octets >= size || d.sents != 1 {
				t.Errorf("%s: %+v", name, d)
			}
			if p.held.Load() != 0 {
				t.Errorf("%s: %d holds are left", name, p.held.Load())
			}
		}
	}
}
