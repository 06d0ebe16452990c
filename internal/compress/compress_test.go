package compress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var codings = []string{"gzip", "br", "zstd"}

// decoder reads what was compressed with coding.
func decoder(t *testing.T, coding string, r io.Reader) io.Reader {
	t.Helper()
	switch coding {
	case "gzip":
		d, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		return d
	case "br":
		return brotli.NewReader(r)
	}
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// source gives out pieces, one for each Read; an error or a channel that is waited for are pieces too.
type source struct {
	pieces []any
	cancel chan struct{}
}

func from(pieces ...any) *source { return &source{pieces: pieces, cancel: make(chan struct{})} }

func (s *source) Read(p []byte) (int, error) {
	for len(s.pieces) > 0 {
		next := s.pieces[0]
		s.pieces = s.pieces[1:]
		switch x := next.(type) {
		case string:
			n := copy(p, x)
			if n < len(x) {
				s.pieces = append([]any{x[n:]}, s.pieces...)
			}
			return n, nil
		case error:
			return 0, x
		case chan struct{}:
			select {
			case <-x:
			case <-s.cancel:
				return 0, errors.New("cancelled")
			}
		}
	}
	return 0, io.EOF
}

func (s *source) room() Room { return Room{Cancel: func() { close(s.cancel) }, More: yes} }

func yes() bool { return true }

// text is n octets that look like text.
func text(seed uint64, n int) string {
	words := strings.Fields("the cache keeps what the origin said until a rule says that it must not be shown to anybody any more <div> </div> {\"a\":1}")
	rng := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[rng.IntN(len(words))])
		fmt.Fprint(&b, " ", rng.IntN(100), " ")
	}
	return b.String()[:n]
}

func TestReader_WhatComesOutIsWhatWentIn(t *testing.T) {
	for _, coding := range codings {
		for _, n := range []int{0, 1, 1000, piece - 1, piece, piece + 1, small, small + 1, 1_000_003} {
			body := text(uint64(n), n)
			src := from()
			rng := rand.New(rand.NewPCG(uint64(n), 2))
			for rest := body; rest != ""; {
				k := min(len(rest), 1+rng.IntN(2*piece))
				src.pieces, rest = append(src.pieces, rest[:k]), rest[k:]
			}
			r := New(src, coding, int64(n), src.room())
			packed, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("%s %d: %v", coding, n, err)
			}
			r.Close()
			if n > 1000 && len(packed) > n/2 {
				t.Errorf("%s: %d octets became %d", coding, n, len(packed))
			}
			got, err := io.ReadAll(decoder(t, coding, bytes.NewReader(packed)))
			if err != nil || string(got) != body {
				t.Errorf("%s %d: decoded %d octets, %v", coding, n, len(got), err)
			}
		}
	}
}

func TestReader_ASilentSourceHoldsNothingBack(t *testing.T) {
	for _, coding := range codings {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			first, second := text(1, 2000), text(2, 3000)
			src := from(first, gate, second)
			r := New(src, coding, 5000, src.room())
			defer r.Close()
			began := time.Now()
			part := make([]byte, 1<<16)
			n, err := r.Read(part) // gzip's and zstd's heads may come by themselves
			for err == nil && time.Since(began) < Pause {
				var m int
				m, err = r.Read(part[n:])
				n += m
			}
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(first))
			if _, err := io.ReadFull(decoder(t, coding, bytes.NewReader(part[:n])), got); err != nil || string(got) != first {
				t.Errorf("%s: after the pause %q…, %v", coding, got[:10], err)
			}
			close(gate)
			rest, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(decoder(t, coding, bytes.NewReader(append(part[:n:n], rest...))))
			if err != nil || string(all) != first+second {
				t.Errorf("%s: in all %d octets, %v", coding, len(all), err)
			}
		})
	}
}

func TestReader_AnErrorCutsWhereItCame(t *testing.T) {
	broken := errors.New("broken")
	for _, coding := range codings {
		body := text(3, 5000)
		src := from(body, broken)
		r := New(src, coding, 10_000, src.room())
		packed, err := io.ReadAll(r)
		r.Close()
		if !errors.Is(err, broken) {
			t.Errorf("%s: error %v", coding, err)
		}
		got, err := io.ReadAll(decoder(t, coding, bytes.NewReader(packed)))
		if err == nil || string(got) != body {
			t.Errorf("%s: decoded %d octets of %d, error %v: a cut body must not look whole", coding, len(got), len(body), err)
		}
	}
}

func TestReader_TheAnnouncedLengthIsKept(t *testing.T) {
	for _, coding := range codings {
		for _, announced := range []int64{1999, 2001} {
			src := from(text(4, 2000))
			r := New(src, coding, announced, src.room())
			packed, err := io.ReadAll(r)
			r.Close()
			if !errors.Is(err, ErrLength) {
				t.Errorf("%s, %d announced: %v", coding, announced, err)
			}
			if len(packed) > 0 {
				if _, err := io.ReadAll(decoder(t, coding, bytes.NewReader(packed))); err == nil {
					t.Errorf("%s, %d announced: what was given out looks whole", coding, announced)
				}
			}
		}
	}
}

func TestReader_CloseEndsWhatIsWaitedFor(t *testing.T) {
	for _, coding := range codings {
		synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
			src := from(text(5, 100), make(chan struct{}))
			r := New(src, coding, 1000, src.room())
			synctest.Wait()
			r.Close()
			if _, err := r.Read(make([]byte, 1)); err == nil {
				t.Error("read from a closed reader")
			}
		})
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("source is broken") }

func TestReader_APanicOfTheSourceIsItsReaders(t *testing.T) {
	defer func() {
		if p := recover(); p != "source is broken" {
			t.Errorf("recovered %v", p)
		}
	}()
	r := New(panicking{}, "gzip", 1000, Room{Cancel: func() {}, More: yes})
	defer r.Close()
	r.Read(make([]byte, 1))
}

// An encoder that is used again must not remember: neither octets nor an end that never came.
func TestReader_EncodersForget(t *testing.T) {
	for _, coding := range codings {
		for i := range 20 {
			src := from(text(6, 3000), errors.New("broken"))
			if i%2 == 1 {
				src = from(text(7, 3000))
			}
			r := New(src, coding, 3000, src.room())
			packed, err := io.ReadAll(r)
			r.Close()
			if i%2 == 0 {
				continue
			}
			got, derr := io.ReadAll(decoder(t, coding, bytes.NewReader(packed)))
			if err != nil || derr != nil || string(got) != text(7, 3000) {
				t.Fatalf("%s: %v, %v", coding, err, derr)
			}
		}
	}
}

// However many are at work, their turns are given back: also of those that broke off.
func TestReader_TurnsAreGivenBack(t *testing.T) {
	var g sync.WaitGroup
	for i := range 30 {
		g.Go(func() {
			src := from(text(9, 50_000), text(10, 50_000))
			if i%3 == 0 {
				src = from(text(9, 50_000), errors.New("broken"))
			}
			r := New(src, codings[i%len(codings)], 100_000, src.room())
			defer r.Close()
			io.Copy(io.Discard, r)
		})
	}
	g.Wait()
	if len(turns) != 0 {
		t.Errorf("%d turns are taken for ever", len(turns))
	}
}

func TestMemory_KnowsTheCodings(t *testing.T) {
	for _, coding := range codings {
		first, more := Memory(coding, 1000)
		if large, none := Memory(coding, 1<<20); first <= 1000 || first >= 1<<20 || more < 1<<20 || large < 1<<20 || none != 0 {
			t.Errorf("%s: %d and %d, %d and %d", coding, first, more, large, none)
		}
	}
	if first, more := Memory("deflate", 1000); first != 0 || more != 0 {
		t.Error("deflate is nothing that is made here")
	}
}

// A small body takes no encoder before it is there; if it is denied one when its source pauses, it comes as a whole.
func TestReader_SmallBodiesAreGathered(t *testing.T) {
	for _, coding := range codings {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			first, second := text(1, 2000), text(2, 3000)
			src := from(first, gate, second)
			room, asked := src.room(), 0
			room.More = func() bool { asked++; return false }
			r := New(src, coding, 5000, room)
			defer r.Close()
			var packed []byte
			var err error
			done := make(chan struct{})
			go func() {
				defer close(done)
				packed, err = io.ReadAll(r)
			}()
			time.Sleep(10 * Pause)
			synctest.Wait()
			if r.enc != nil || asked != 1 {
				t.Errorf("%s: an encoder %v, asked for more %d times", coding, r.enc != nil, asked)
			}
			close(gate)
			<-done
			if r.enc != nil || err != nil {
				t.Errorf("%s: an encoder at the end %v, error %v", coding, r.enc != nil, err)
			}
			all, err := io.ReadAll(decoder(t, coding, bytes.NewReader(packed)))
			if err != nil || string(all) != first+second {
				t.Errorf("%s: %d octets, %v", coding, len(all), err)
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	for _, coding := range codings {
		for _, n := range []int{10_000, 500_000} {
			b.Run(fmt.Sprintf("%s/%d", coding, n), func(b *testing.B) {
				body := text(8, n)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					r := New(strings.NewReader(body), coding, int64(n), Room{Cancel: func() {}, More: yes})
					io.Copy(io.Discard, r)
					r.Close()
				}
			})
		}
	}
}
