package memory

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

// sealed makes an object whose octets vouch for themselves and for their key.
func sealed(r *rand.Rand, key string, n int) *cache.Object {
	body := make([]byte, 8+n)
	for i := 4; i+4 <= len(body); i += 4 {
		binary.LittleEndian.PutUint32(body[i:], r.Uint32())
	}
	binary.LittleEndian.PutUint32(body, sum(key, body[4:]))
	value := fmt.Sprintf("%08x", binary.LittleEndian.Uint32(body))
	return &cache.Object{
		Key: key, Distribution: "D" + key[:1], Epoch: "e", Status: 200, Subject: invalidation.Subject{Path: "/" + value}, Body: body,
		Fields: message.Fields{{Name: "Sum", Value: value}}, Block: []byte("HTTP/1.1 200 OK\r\nSum: " + value + "\r\n"),
	}
}

func sum(key string, body []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(key)), crc32.IEEETable, body)
}

// broken says what is wrong with what was read under a key, "" for nothing.
func broken(key string, body, block []byte, path string) string {
	want := sum(key, body[4:])
	switch value := fmt.Sprintf("%08x", want); {
	case binary.LittleEndian.Uint32(body) != want:
		return "the body is not what was stored"
	case string(block) != "HTTP/1.1 200 OK\r\nSum: "+value+"\r\n":
		return fmt.Sprintf("the head is another's: %q", block)
	case path != "/"+value:
		return fmt.Sprintf("the subject is another's: %q", path)
	}
	return ""
}

// Whatever is evicted, replaced, moved, merged, removed or cleared meanwhile: what a reader sees is one
// object, whole, and that of its key.
func TestTorture_ReadersSeeWholeObjects(t *testing.T) {
	rounds := 8_000
	if raced {
		rounds = 1_000
	}
	const enough = 100 // objects that are read while others write: on one processor, or a busy one, that takes longer
	for _, capacity := range []int64{256 << 10, 2 << 20, 40 << 20} {
		s := open(t, Config{Capacity: capacity})
		keys := int(capacity/1500) * 2
		key := func(r *rand.Rand) string { return fmt.Sprintf("%d/key", int(r.ExpFloat64()*float64(keys)/4)%keys) }
		var writers, readers sync.WaitGroup
		var done atomic.Bool
		var read atomic.Int64
		for g := range 3 {
			writers.Go(func() {
				r := rand.New(rand.NewPCG(6, uint64(g)))
				for i := 0; i < rounds || read.Load() < enough && !t.Failed(); i++ {
					switch r.IntN(12) {
					case 0:
						if o := s.Peek([]byte(key(r))); o != nil {
							s.Remove(o)
						}
					case 1:
						if i%(rounds/3) == 0 {
							s.Clear()
						}
					default:
						s.Put(sealed(r, key(r), size(r)))
					}
				}
			})
		}
		for g := range 2 {
			readers.Go(func() {
				r := rand.New(rand.NewPCG(7, uint64(g)))
				for !done.Load() && !t.Failed() {
					read.Add(look(t, s, uint32(g), key(r)))
					runtime.Gosched() // as a server does, which waits for its sockets
				}
			})
		}
		readers.Go(func() {
			for !done.Load() && !t.Failed() {
				s.Range(func(v *cache.Sight) bool {
					if o := v.Object(); o != nil {
						if o.Subject.Path != v.Subject.Path || o.Key != v.Key || o.Distribution != "D"+o.Key[:1] {
							t.Errorf("%q: seen as %q, is %q", v.Key, v.Subject.Path, o.Subject.Path)
						}
						v.SetChecked(7)
						read.Add(1)
					}
					runtime.Gosched()
					return !done.Load()
				})
			}
		})
		readers.Go(func() {
			var subject invalidation.Subject
			for !done.Load() && !t.Failed() {
				s.Skim(func(g *cache.Glimpse) bool {
					g.Subject(&subject)
					r := record.Record(g.Loan.Record)
					if key, head := string(r.Key()), string(r.Head()); g.Distribution != "D"+key[:1] || head != "HTTP/1.1 200 OK\r\nSum: "+subject.Path[1:]+"\r\n" {
						t.Errorf("%q where it lies: of %q, with the path %q and the head %q", key, g.Distribution, subject.Path, head)
					}
					g.Mark.SetChecked(7)
					return g.Mark.Hits()%2 == 0
				}, func(*cache.Sight) bool { return true }, func(int) bool {
					runtime.Gosched()
					return !done.Load()
				})
			}
		})
		writers.Wait()
		done.Store(true)
		readers.Wait()
		for i := range 100 { // with nobody in the way it finds back to its bound
			s.Put(sealed(rand.New(rand.NewPCG(8, 0)), key(rand.New(rand.NewPCG(8, uint64(i)))), 100))
		}
		checkBooks(t, s)
		t.Logf("capacity %d: %d objects read, %+v", capacity, read.Load(), s.Stats())
	}
}

// look reads one object in place and one as a copy.
func look(t *testing.T, s *Store, stripe uint32, key string) (read int64) {
	var v cache.View
	if s.Lend(stripe, []byte(key), &v) {
		var subject invalidation.Subject
		v.Subject(&subject)
		if why := broken(key, v.Body, v.Block, subject.Path); why != "" {
			t.Errorf("%q on loan: %s", key, why)
		}
		v.Mark.Used()
		v.Mark.SetChecked(5)
		s.Return(&v)
		read++
	}
	if o := s.Get([]byte(key)); o != nil {
		if why := broken(key, o.Body, o.Block, o.Subject.Path); why != "" || o.Key != key {
			t.Errorf("%q as a copy: %s", key, why)
		}
		o.Used()
		o.SetChecked(6)
		read++
	}
	return read
}

// What Clear takes out nobody finds any more when its memory is given back: others free meanwhile.
func TestClear_WhileOthersReadAndFree(t *testing.T) {
	s := open(t, Config{Capacity: 2 << 20})
	key := func(r *rand.Rand) string { return fmt.Sprintf("%d/key", r.IntN(200)) }
	var readers sync.WaitGroup
	var done atomic.Bool
	for g := range 2 {
		readers.Go(func() {
			for r := rand.New(rand.NewPCG(9, uint64(g))); !done.Load() && !t.Failed(); runtime.Gosched() {
				look(t, s, uint32(g), key(r))
			}
		})
	}
	readers.Go(func() {
		for ; !done.Load(); runtime.Gosched() {
			s.guard.collect()
		}
	})
	r := rand.New(rand.NewPCG(10, 0))
	for range 60 {
		for range 200 {
			s.Put(sealed(r, key(r), r.IntN(4000)))
		}
		s.Clear()
	}
	done.Store(true)
	readers.Wait()
	checkBooks(t, s)
}

// A walk that drops whatever it meets has tables made anew again and again, while others read, store and drop: whoever looks finds
// one object, whole, or none; and what nobody drops is always found.
func TestDrop_WhileOthersReadAndStore(t *testing.T) {
	n := 30_000
	if raced {
		n = 6_000
	}
	s := open(t, Config{Capacity: 32 << 20})
	key := func(i int) string { return fmt.Sprintf("%d/key", i) }
	r := rand.New(rand.NewPCG(11, 0))
	for i := range n {
		if !s.Put(sealed(r, key(i), 8)) {
			t.Fatal("not stored")
		}
	}
	if s.Stats().Evictions != 0 {
		t.Fatal("there is no room for all: this would test nothing")
	}
	stays := func(key string) bool { return strings.HasPrefix(key, "77") } // a few of them
	var others sync.WaitGroup
	var done atomic.Bool
	for g := range 3 {
		others.Go(func() {
			for r := rand.New(rand.NewPCG(12, uint64(g))); !done.Load() && !t.Failed(); runtime.Gosched() {
				k := key(r.IntN(n))
				if read := look(t, s, uint32(g), k); stays(k) && read != 2 {
					t.Errorf("%q is not found, although nobody has dropped it", k)
				}
				if g == 0 {
					k := key(n + r.IntN(10))
					s.Put(sealed(r, k, 8))
				}
			}
		})
	}
	made := map[*table]bool{}
	for range 3 {
		s.Range(func(v *cache.Sight) bool {
			if !stays(v.Key) {
				v.Drop()
			}
			for i := range s.shards {
				made[s.shards[i].tab.Load()] = true
			}
			runtime.Gosched()
			return !t.Failed()
		})
	}
	done.Store(true)
	others.Wait()
	if len(made) < 3*len(s.shards) {
		t.Errorf("%d tables of %d shards: this tests next to nothing", len(made), len(s.shards))
	}
	checkBooks(t, s)
}
