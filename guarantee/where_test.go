package guarantee

import (
	"math/rand/v2"
	"testing"
	"time"
)

// object returns one of a kind.
func (s *story) object(k Kind) *Object {
	for _, o := range newObjects(turns, 0) {
		if o.Kind == k {
			return o
		}
	}
	panic("BUG: no object of the kind")
}

func TestWhere_MeansWhatIsCertain(t *testing.T) {
	s := newStory()
	failing, hosted, dated := s.object(Failing), s.object(Background), s.object(Dated)
	for _, c := range []struct {
		name    string
		w       *Where
		o       *Object
		version uint64
		want    bool
	}{
		{"nothing", nil, failing, 1, true},
		{"status", &Where{Status: "404"}, failing, 1, true},
		{"another status", &Where{Status: "404"}, failing, 2, false},
		{"class", &Where{Status: "4xx"}, failing, 2, true},
		{"another class", &Where{Status: "4xx"}, failing, 4, false},
		{"type", &Where{Type: "text/css"}, failing, 4, true},
		{"another type", &Where{Type: "text/css"}, failing, 5, false},
		{"kind of type", &Where{Type: "image/*"}, failing, 5, true},
		{"type of what never changes it", &Where{Type: "text/plain"}, dated, 5, true},
		{"its host", &Where{Host: "a", here: true}, hosted, 1, true},
		{"another host", &Where{Host: "b"}, hosted, 1, false},
		{"another host, of what is for all", &Where{Host: "b"}, dated, 1, true},
		{"in an hour", &Where{Before: time.Hour}, dated, 1, true},
		{"an hour ago", &Where{Before: -time.Hour}, dated, 1, false},
		{"all of it", &Where{Status: "4xx", Type: "text/css", Host: "b", Before: time.Hour}, failing, 1, true},
		{"one of it not", &Where{Status: "4xx", Type: "text/css"}, failing, 3, false},
	} {
		if got := c.w.means(c.o, c.version); got != c.want {
			t.Errorf("%s, version %d: %v", c.name, c.version, got)
		}
	}
}

// What conditions leave out, nothing is demanded of; neither when it removes nor when it marks.
func TestJudge_Conditions(t *testing.T) {
	const done = 10 * time.Second
	at := func() Instant { return done }
	for _, soft := range []bool{false, true} {
		s := newStory()
		o := s.object(Small)
		by := &Invalidation{Number: 1, Soft: soft, Where: &Where{Type: "text/css"}}
		want := Old
		if soft {
			want = Lingering
			o.log.marked(floor{version: 9, by: by}, nil, at)
			o.judge(&Answer{Via: "e1", Method: "GET", Sent: done + 1, Begun: done + 1, End: done + 2, Version: 1, Status: 200}) // seen, and not asked for since
		} else {
			o.log.narrowed(floor{version: 9, by: by}, at)
		}
		for version, violated := range map[uint64]bool{1: true, 4: true, 2: false, 3: false, 10: false} {
			sent := done + 2*grace
			v := o.judge(&Answer{Via: "e1", Method: "GET", Sent: sent, Begun: sent, End: sent + 1, Version: version, Status: 200})
			if (v != nil) != violated || v != nil && v.Class != want {
				t.Errorf("soft %v, version %d: %v", soft, version, v)
			}
		}
		if v := o.judge(&Answer{Via: "e1", Method: "GET", Sent: done - 1, Begun: done - 1, End: done + 1, Version: 1, Status: 200}); v != nil {
			t.Errorf("soft %v, asked before: %v", soft, v)
		}
	}
}

// Most conditions that are made up mean some version of the object that they are made for.
func TestNarrow_IsAboutTheObject(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	met := 0
	for i := range 500 {
		o := newObject(i, Kind(i%turns), i/turns)
		o.version.Store(uint64(1 + r.IntN(8)))
		w := narrow(r, o, "example.com")
		if len(w.words()) == 0 {
			t.Fatalf("%+v narrows nothing", w)
		}
		if w.means(o, o.version.Load()) || o.version.Load() > 1 && w.means(o, o.version.Load()-1) {
			met++
		}
	}
	if met < 250 || met == 500 {
		t.Errorf("%d of 500 mean one of the last two versions", met)
	}
}
