package disk

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

const testLife = "epoch/life"

// running is a store with its writer.
type running struct {
	*Store
	file *disktest.File
	stop func()
}

// small are stores whose segments fill quickly.
func small(file *disktest.File) Config {
	return Config{File: file, Capacity: slotsAt + 8*(64<<10), slot: 64 << 10, Queue: 1 << 20}
}

func start(t testing.TB, c Config) *running {
	t.Helper()
	if c.Linger == 0 {
		c.Linger = -1 // or whoever settles waits for it
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	r := &running{Store: s, stop: func() { cancel(); wg.Wait() }}
	r.file, _ = c.File.(*disktest.File)
	t.Cleanup(r.stop)
	return r
}

// settle waits until everything that was put is in the file.
func (r *running) settle(t testing.TB) {
	t.Helper()
	eventually(t, func() bool { return r.queued.Load() == 0 && r.waitingItems() == 0 })
}

func (r *running) waitingItems() (n int) {
	for i := range r.shards {
		n += len(r.shards[i].waiting())
	}
	return n
}

// object makes one that can be told from all others.
func object(key string, version, size int) *cache.Object {
	body := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%032s", key))[:32]))
	rnd.Read(body)
	head := fmt.Sprintf("%s %d %d;", key, version, size)
	copy(body, head)
	return &cache.Object{
		Key: key, Distribution: "E1", Subject: invalidation.Subject{Path: "/" + key}, Stamp: uint64(version), Epoch: testLife,
		Status: 200, Fields: message.Fields{{Name: "Content-Type", Value: "text/plain"}}, Body: body,
	}
}

func equal(a, b *cache.Object) bool {
	return a != nil && b != nil && a.Key == b.Key && a.Stamp == b.Stamp && a.Distribution == b.Distribution && a.Status == b.Status &&
		a.Subject.Path == b.Subject.Path && bytes.Equal(a.Body, b.Body) && len(a.Fields) == len(b.Fields)
}

func mustPut(t testing.TB, s *running, o *cache.Object) {
	t.Helper()
	eventually(t, func() bool { return s.Put(o) })
}

func TestGet_FindsWhatWasPut(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	var all []*cache.Object
	for i := range 50 {
		o := object(fmt.Sprint("k", i), 1, i*i)
		all = append(all, o)
		mustPut(t, s, o)
		if got := s.Get([]byte(o.Key)); !equal(got, o) {
			t.Fatalf("%s: not found as soon as it was put", o.Key)
		}
	}
	s.settle(t)
	for _, o := range all {
		if got := s.Get([]byte(o.Key)); !equal(got, o) || got == o {
			t.Errorf("%s: got %+v", o.Key, got)
		}
	}
	if s.Get([]byte("k")) != nil {
		t.Error("found what was never put")
	}
}

func TestOpen_FindsWhatWasWritten(t *testing.T) {
	for name, again := range map[string]func(*running) *disktest.File{
		"stopped": func(r *running) *disktest.File { r.stop(); return r.file.Killed() },
		"killed":  func(r *running) *disktest.File { return r.file.Killed() },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, small(new(disktest.File)))
			s.Use(testLife)
			s.At(Mark{Seq: 7, ID: [16]byte{1, 2}})
			want := map[string]*cache.Object{}
			for round := range 3 { // 150 KB: several segments
				for i := range 60 {
					o := object(fmt.Sprint("k", i), round, 1000+i*10)
					want[o.Key] = o
					mustPut(t, s, o)
				}
				s.settle(t)
				before := s.Stats()
				s = start(t, small(again(s)))
				if life, m := s.Kept(); life != testLife || m.Seq != 7 || m.ID != [16]byte{1, 2} {
					t.Fatalf("kept %q up to %v", life, m)
				}
				if s.Get([]byte("k1")) != nil {
					t.Fatal("found before Use")
				}
				s.Use(testLife)
				s.At(Mark{Seq: 7, ID: [16]byte{1, 2}})
				if after := s.Stats(); after.Objects != before.Objects || after.Bytes != before.Bytes {
					t.Errorf("before %+v, after %+v", before.Stats, after.Stats)
				}
				for key, o := range want {
					got := s.Get([]byte(key))
					if !equal(got, o) {
						t.Fatalf("round %d: %s is not what it was", round, key)
					}
					if !got.FetchStart.Equal(LongAgo) {
						t.Errorf("round %d: %s was fetched at %v by a process that is gone", round, key, got.FetchStart)
					}
				}
			}
		})
	}
}

func TestUse_OfAnotherLifeDropsAll(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	mustPut(t, s, object("a", 1, 100))
	s.settle(t)
	s = start(t, small(s.file.Killed()))
	s.Use("epoch/other")
	if st := s.Stats(); s.Get([]byte("a")) != nil || st.Objects != 0 || st.Bytes != 0 {
		t.Errorf("still there: %+v", st)
	}
	if s.Put(object("a", 2, 10)) {
		t.Error("took an object of a life that is over")
	}
	next := object("b", 2, 10)
	next.Epoch = "epoch/other"
	mustPut(t, s, next)
	s.settle(t)
	s = start(t, small(s.file.Killed()))
	if life, _ := s.Kept(); life != "epoch/other" {
		t.Errorf("kept %q", life)
	}
	s.Use("epoch/other")
	if !equal(s.Get([]byte("b")), next) || s.Get([]byte("a")) != nil || s.Stats().Objects != 1 {
		t.Error("not what the last life had")
	}
}

func TestForget_OutlivesTheProcess(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	for i := range 10 {
		mustPut(t, s, object(fmt.Sprint(i), 1, 100))
	}
	s.settle(t)
	s.Forget([]byte("3"))
	mustPut(t, s, object("4", 1, 100))
	s.Forget([]byte("4"))
	s.Forget([]byte("5"))
	mustPut(t, s, object("5", 2, 100))
	s.settle(t)
	s = start(t, small(s.file.Killed()))
	s.Use(testLife)
	if s.Get([]byte("3")) != nil || s.Get([]byte("4")) != nil {
		t.Error("forgotten, and back")
	}
	if !equal(s.Get([]byte("5")), object("5", 2, 100)) || s.Stats().Objects != 8 {
		t.Errorf("%+v", s.Stats())
	}
}

func TestLog_GoesRound(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	for i := range 2000 { // each twice, so that it earns its place
		for range 2 {
			s.Put(object(fmt.Sprint(i), i, 3000))
		}
		s.settle(t)
		if got := s.Peek([]byte(fmt.Sprint(i))); !equal(got, object(fmt.Sprint(i), i, 3000)) {
			t.Fatalf("%d is not there", i)
		}
		s.Get([]byte("7")) // is asked for all the time
	}
	st := s.Stats()
	if s.Get([]byte("7")) == nil {
		t.Errorf("what is asked for has gone with its segment: %+v", st)
	}
	if int64(len(s.file.Octets())) > s.cfg.Capacity || st.Bytes < s.cfg.Capacity/2 || st.Evictions == 0 {
		t.Errorf("%d octets of file; %+v", len(s.file.Octets()), st)
	}
	if st.Written > (st.Stored+st.Rewritten)*5/4 {
		t.Errorf("wrote %d for %d", st.Written, st.Stored)
	}
}

// A segment that was begun over an old one ends where it ends, although behind that there are records which are
// whole, of the same length and of the same life.
func TestOpen_LeavesOutWhatAnEarlierSegmentLeft(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	put := func(i int) {
		o := object(fmt.Sprintf("%04d", i), 1, 3000)
		s.Put(o)
		if s.lapped.Load() {
			s.Put(o)
		}
		s.settle(t)
	}
	i := 0
	for ; !s.lapped.Load(); i++ {
		put(i)
	}
	first := object(fmt.Sprintf("%04d", 0), 1, 3000)
	for ; s.Get([]byte("0001")) == nil && i < 3; i++ {
		put(i)
	}
	s = start(t, small(s.file.Killed()))
	s.Use(testLife)
	if s.Get([]byte(first.Key)) != nil || s.Get([]byte("0005")) != nil {
		t.Error("what was evicted is back")
	}
	if s.Get([]byte(fmt.Sprintf("%04d", i-2))) == nil {
		t.Error("the last one is not there")
	}
}
