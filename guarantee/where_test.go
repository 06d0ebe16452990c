package guarantee

import (
	"math/rand/v2"
	"slices"
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
		{"a moment ago", &Where{Before: -time.Second, Until: 9 * time.Second}, dated, 1, false},
		{"all of it", &Where{Status: "4xx", Type: "text/css", Host: "b", Before: time.Hour}, failing, 1, true},
		{"one of it not", &Where{Status: "4xx", Type: "text/css"}, failing, 3, false},
	} {
		if got := c.w.means(c.o, &Answer{Version: c.version}); got != c.want {
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
		w.Until = time.Hour
		shown := func(version uint64) *Answer { return &Answer{Version: version, Had: 1} }
		if w.means(o, shown(o.version.Load())) || o.version.Load() > 1 && w.means(o, shown(o.version.Load()-1)) {
			met++
		}
	}
	if met < 250 || met == 500 {
		t.Errorf("%d of 500 mean one of the last two versions", met)
	}
}

// A tag of a version means what is shown of that version, when that is older than the origin's; neither what has come after the shown one, nor what
// had come before it.
func TestJudge_TagsOfVersions(t *testing.T) {
	for _, soft := range []bool{false, true} {
		s := newStory()
		s.began = time.Now()
		o, want := s.objects[Small], Old
		if soft {
			want = Lingering
		}
		o.version.Store(4)
		items := []string{"#" + o.edition(3)}
		if all := s.matched(items); !slices.Contains(all, o) {
			t.Fatalf("%v", all)
		}
		d := s.create(1, &Batch{Items: items, Objects: []*Object{o}, Soft: soft})
		s.complete(d, Outcome{})
		for version, class := range map[uint64]Class{2: None, 3: want, 4: None} {
			s.seen(o, "e1", version, time.Hour) // when it marks, once is not enough
			if got := s.seen(o, "e1", version, 2*time.Hour); got != class {
				t.Errorf("soft %v, version %d: %v", soft, version, got)
			}
		}
		if got := s.seen(o, "e1", 3, 0); got != None {
			t.Errorf("soft %v, asked before: %v", soft, got)
		}
	}
}

// Where another item means the object, whatever its version, the tag leaves nothing out; nor is it forgotten when versions come meanwhile.
func TestDemand_TagsOfVersionsBesideOtherItems(t *testing.T) {
	s := newStory()
	o := s.objects[Small]
	o.version.Store(4)
	tag := "#" + o.edition(4)
	d := s.create(1, &Batch{Items: []string{tag, o.Target()}, Objects: []*Object{o}})
	if d.of[0] != nil {
		t.Errorf("of %v only", d.of[0])
	}
	o.version.Store(4 + late) // after it was matched, before it is created
	if d = s.create(1, &Batch{Items: []string{tag, "/elsewhere"}, Objects: []*Object{o}}); !slices.Equal(d.of[0], []string{tag[1:]}) {
		t.Errorf("of %v", d.of[0])
	}
	if lately(editionsIn([]string{tag}), o) {
		t.Error("the tag of a version of long ago is looked for")
	}
}
