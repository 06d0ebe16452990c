package guarantee

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

// story is a history that a test tells.
type story struct{ history }

func newStory() *story {
	s := &story{}
	s.objects = newObjects(9, 0)
	return s
}

// invalidated: version is demanded of the object from an instant on.
func (s *story) invalidated(o *Object, version uint64, created, completed Instant) *Invalidation {
	d := s.create(1, &Batch{Items: []string{o.Target()}, Objects: []*Object{o}})
	d.Created, d.Completed, d.floors[0] = created, completed, version
	o.log.completed(floor{version: version, by: d.Invalidation}, func() Instant { return completed })
	return d.Invalidation
}

func TestJudge(t *testing.T) {
	const t0, t1 = 100 * time.Millisecond, 200 * time.Millisecond // created, Completed
	for _, c := range []struct {
		name string
		a    Answer
		want Class
	}{
		{"asked before Completed", Answer{Sent: t1 - 1, Version: 4}, None},
		{"asked at the instant of Completed", Answer{Sent: t1, Version: 4}, None},
		{"asked after, and old", Answer{Sent: t1 + 1, Version: 4}, Old},
		{"asked after, and as demanded", Answer{Sent: t1 + 1, Version: 5}, None},
		{"asked after, and newer", Answer{Sent: t1 + 1, Version: 6}, None},
		{"asked before, begun after, and old", Answer{Sent: t0, Begun: t1 + 1, Version: 4}, Late},
		{"asked before, begun before, and old", Answer{Sent: t0, Begun: t1 - 1, Version: 4}, None},
		{"a 304 for what is old", Answer{Sent: t1 + 1, Version: 4, Status: 304}, Revived},
		{"without content", Answer{Sent: t1 + 1, Status: 503}, None},
		{"mixed", Answer{Sent: t0, Version: 5, Wrong: Mixed, Why: "because"}, Mixed},
	} {
		s := newStory()
		o := s.objects[0]
		by := s.invalidated(o, 5, t0, t1)
		c.a.Begun = max(c.a.Begun, c.a.Sent)
		c.a.Method = "GET"
		v := o.judge(&c.a)
		switch {
		case v == nil && c.want == None:
		case v == nil || v.Class != c.want:
			t.Errorf("%s: %v, should be %v", c.name, v, c.want)
		case c.want < Mixed && (v.By != by || v.Floor != 5):
			t.Errorf("%s: demanded is %d by %v", c.name, v.Floor, v.By)
		}
	}
}

// Two invalidations that are Completed in the other order than they were created: the greater floor holds
// from the earlier instant on.
func TestJudge_FloorsDoNotSink(t *testing.T) {
	s := newStory()
	o := s.objects[0]
	s.invalidated(o, 7, 10, 100)
	s.invalidated(o, 6, 5, 200)
	s.invalidated(o, 9, 5, 300)
	for _, c := range []struct {
		at    Instant
		floor uint64
	}{{100, 0}, {101, 7}, {201, 7}, {300, 7}, {301, 9}} {
		if f := o.log.floors.demanded(c.at, ""); f.version != c.floor {
			t.Errorf("at %d: %d, should be %d", c.at, f.version, c.floor)
		}
	}
}

// What the cache says it does not promise of an edge is not demanded of it, nor of who does not say who they are; what came before, and of others, is.
func TestJudge_UnboundEdges(t *testing.T) {
	s := newStory()
	o := s.objects[0]
	s.invalidated(o, 5, 10, 100)
	d := s.create(1, &Batch{Items: []string{o.Target()}, Objects: []*Object{o}})
	o.log.completed(floor{version: 7, by: d.Invalidation, unbound: []string{"cut"}}, func() Instant { return 200 })
	for _, c := range []struct {
		via     string
		version uint64
		class   Class
		excused bool
	}{{"", 6, None, false}, {"", 4, Old, false}, {"other", 6, Old, false}, {"cut", 6, None, true}, {"cut", 4, Old, true}, {"cut", 7, None, false}} {
		a := &Answer{Via: c.via, Method: "GET", Status: 200, Version: c.version, Sent: 300, Begun: 300, End: 301}
		class := None
		if v := o.judge(a); v != nil {
			class = v.Class
		}
		if class != c.class || a.Excused != c.excused {
			t.Errorf("version %d by %q: %v, excused %v", c.version, c.via, class, a.Excused)
		}
	}
}

// A POST demands its version of the edge that has answered it, from then on; of no other, and not of whoever had
// asked before.
func TestJudge_PostsCountWhereTheyWere(t *testing.T) {
	s := newStory()
	o := s.objects[0]
	o.log.posted(1, 5, func() Instant { return 100 })
	for _, c := range []struct {
		edge int
		sent Instant
		away Instant
		v    uint64
		want Class
	}{{1, 101, 0, 4, Overwritten}, {1, 101, 0, 5, None}, {1, 100, 0, 4, None}, {0, 101, 0, 4, None}, {1, 103, 99, 4, Overwritten}, {1, 103, 102, 4, None}} {
		v := o.judge(&Answer{Edge: c.edge, Method: "GET", Sent: c.sent, Begun: c.sent + 50, Away: c.away, Version: c.v, Status: 200})
		got := None
		if v != nil {
			got = v.Class
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		if v != nil && !strings.Contains(v.String(), "overwritten: an answer for /s0/small/n000.css showed version 4") {
			t.Error(v)
		}
	}
	if v := o.judge(&Answer{Edge: 1, Method: "POST", Sent: 200, Begun: 200, Version: 3, Status: 204}); v != nil {
		t.Errorf("what a POST is told about itself: %v", v)
	}
}

// What is marked stale may be shown while its edge asks the origin anew, and not after that.
func TestJudge_Lingering(t *testing.T) {
	const done = 10 * time.Second // the marking is Completed; it was created a second before
	at := func(i Instant) func() Instant { return func() Instant { return i } }
	shown := func(via string) func(o *Object) {
		return func(o *Object) { o.judge(&Answer{Via: via, Sent: done + 1, End: done + 2, Version: 4}) }
	}
	asked := func(from, until Instant, whole bool, edges ...string) func(o *Object) {
		return func(o *Object) { o.log.asked(edges, now(from, until))(whole) }
	}
	all := func(each ...func(o *Object)) func(o *Object) {
		return func(o *Object) {
			for _, f := range each {
				f(o)
			}
		}
	}
	const created = done - time.Second
	for _, c := range []struct {
		name   string
		other  func(o *Object) // with another object
		before func(o *Object)
		a      Answer
		want   Class
	}{
		{name: "shown for the first time", want: None},
		{name: "soon again", before: shown("e1"), a: Answer{Sent: done + grace}, want: None},
		{name: "long after, and nothing was asked", before: shown("e1"), a: Answer{Sent: done + grace + 3}, want: Lingering},
		{name: "long after another edge has shown it", before: shown("e2"), a: Answer{Sent: done + grace + 3}, want: None},
		{name: "long after, but it was absent", before: shown("e1"), a: Answer{Sent: done + grace + 3, Absent: done + 3}, want: None},
		{name: "while the origin takes its time", before: func(o *Object) { o.log.asked([]string{"e1"}, at(done+3*grace)) },
			a: Answer{Sent: done + 9*grace}, want: None},
		{name: "just after the origin has answered", before: asked(done+3*grace, done+4*grace, true, "e1"), a: Answer{Sent: done + 5*grace}, want: None},
		{name: "long after the origin has answered", before: asked(done+3*grace, done+4*grace, true, "e1"), a: Answer{Sent: done + 5*grace + 1}, want: Lingering},
		{name: "the same, and new", before: asked(done+3*grace, done+4*grace, true, "e1"), a: Answer{Sent: done + 5*grace + 1, Version: 5}, want: None},
		{name: "long after the origin has answered another edge", before: asked(done+3*grace, done+4*grace, true, "e2"), a: Answer{Sent: done + 5*grace + 1}, want: None},
		{name: "what was asked before says nothing", before: asked(created-1, done+1, true, "e1"), a: Answer{Sent: done + 5*grace + 1}, want: None},
		{name: "nor does what was asked before allow it", before: all(func(o *Object) { o.log.asked([]string{"e1"}, at(created-1)) }, shown("e1")),
			a: Answer{Sent: done + grace + 3}, want: Lingering},
		{name: "a slow origin was asked before Completed", before: all(func(o *Object) { o.log.asked([]string{"e1"}, at(created+1)) }, shown("e1")),
			a: Answer{Sent: done + 9*grace}, want: None},
		{name: "and has answered, and another question is not sent", before: all(asked(created+1, done-1, true, "e1"),
			func(o *Object) { o.judge(&Answer{Via: "e1", Sent: done + 2*grace, End: done + 2*grace, Version: 4}) }),
			a: Answer{Sent: done + 3*grace + 1}, want: Lingering},
		{name: "long after the origin has broken off", before: all(asked(done+3*grace, done+4*grace, false, "e1"), shown("e1")), a: Answer{Sent: done + 9*grace}, want: None},
		{name: "another one asks a slow origin", before: all(func(o *Object) { o.log.asked([]string{"e2"}, at(created+1)) }, shown("e1")),
			a: Answer{Sent: done + 9*grace}, want: Lingering},
		{name: "it asks through another one, that asks a slow origin", before: all(asked(1, 2, true, "e1", "e2"), func(o *Object) { o.log.asked([]string{"e2"}, at(created+1)) }, shown("e1")),
			a: Answer{Sent: done + 9*grace}, want: None},
		{name: "another one has kept its question waiting", before: asked(done+3*grace, done+4*grace, true, "e1", "e2"), a: Answer{Sent: done + 9*grace}, want: None},
		{name: "and has asked for nothing but another object so far", other: asked(1, 2, true, "e1", "e2"),
			before: all(func(o *Object) { o.log.asked([]string{"e2"}, at(created+1)) }, shown("e1")), a: Answer{Sent: done + 9*grace}, want: None},
	} {
		s := newStory()
		o := s.objects[0]
		if c.other != nil {
			c.other(s.objects[1])
		}
		o.log.marked(floor{version: 5, by: &Invalidation{Number: 1, Soft: true, Created: created}}, nil, at(done))
		if c.before != nil {
			c.before(o)
		}
		a := c.a
		a.Via, a.Method, a.Status = "e1", "GET", 200
		a.Sent = max(a.Sent, done+1)
		a.Begun, a.End, a.Version = a.Sent, a.Sent+1, max(a.Version, 4)
		v := o.judge(&a)
		if got := v != nil; got != (c.want != None) || got && v.Class != c.want {
			t.Errorf("%s: %v", c.name, v)
		}
	}
}

// What is marked at a pace may be shown as long as there is no turn for the question; but each showing would have taken one.
func TestJudge_LingeringPaced(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name  string
		every Instant // from one showing to the next
		n     int
		asks  bool // a slow origin, after half of them
		then  bool // another marks it that is not paced, before the last
		want  Class
	}{
		{name: "a few times", every: second, n: pacedShowings - 1, want: None},
		{name: "again and again", every: second, n: pacedShowings, want: Lingering},
		{name: "again and again, but soon", every: grace / pacedShowings, n: pacedShowings, want: None},
		{name: "as one moment", every: momentLong / 2, n: 4 * pacedShowings, want: None},
		{name: "and it has asked", every: second, n: pacedShowings, asks: true, want: None},
		{name: "and there is no pace any more", every: 4 * second, n: pacedShowings - 1, then: true, want: Lingering},
	} {
		s := newStory()
		o := s.objects[0]
		mark := func(pace int, version uint64, created, done Instant) {
			o.version.Store(version)
			d := s.create(1, &Batch{Items: []string{o.Target()}, Objects: []*Object{o}, Soft: true, Pace: pace})
			d.Created = created
			for _, p := range d.paces {
				p.created = created
			}
			o.log.marked(floor{version: version, by: d.Invalidation}, d.paceOf(0), func() Instant { return done })
		}
		mark(2000, 5, 10*second, 11*second)
		var v *Violation
		for i := range c.n {
			at := 12*second + Instant(i)*c.every
			if c.asks && i == c.n/2 {
				o.log.asked([]string{"e1"}, func() Instant { return at }) // and that is slow
			}
			if c.then && i == 2 {
				mark(0, 6, at-2*second, at-second)
			}
			v = o.judge(&Answer{Via: "e1", Method: "GET", Status: 200, Version: 4, Sent: at, Begun: at, End: at})
			if v != nil && i < c.n-1 && !c.then {
				t.Fatalf("%s: showing %d: %v", c.name, i, v)
			}
		}
		if got := v != nil; got != (c.want != None) || got && v.Class != c.want {
			t.Errorf("%s: %v", c.name, v)
		}
	}
}

// now gives one instant after the other.
func now(all ...Instant) func() Instant {
	return func() (at Instant) {
		at, all = all[0], all[1:]
		return at
	}
}

func TestVia_IsTheLastHop(t *testing.T) {
	for via, want := range map[string]string{
		"": "", "1.1 a.cloudfront.net (CloudFront)": "a.cloudfront.net", "1.0 x, 2.0 b.cloudfront.net (CloudFront)": "b.cloudfront.net",
	} {
		if got := viaOf(http.Header{"Via": {via}}); got != want {
			t.Errorf("%q: %q", via, got)
		}
	}
}

func TestJudge_KeepsBounds(t *testing.T) {
	s := newStory()
	o := s.objects[0]
	for i := range uint64(3 * floorsKept) {
		at := Instant(i+1) * time.Second
		s.invalidated(o, i+2, at-1, at)
		o.judge(&Answer{Method: "GET", Sent: at + 1, Begun: at + 1, End: at + 2, Version: i + 2})
	}
	if len(o.log.floors) != floorsKept {
		t.Errorf("%d floors", len(o.log.floors))
	}
	if e := o.log.last(); len(e) != len(o.log.events) || e[len(e)-1].Answer == nil {
		t.Errorf("%d events, the last is %+v", len(e), e[len(e)-1])
	}
	if f := o.log.floors.demanded(time.Hour, ""); f.version != 3*floorsKept+1 {
		t.Errorf("the newest floor is %d", f.version)
	}
}

func TestTimeline(t *testing.T) {
	s := newStory()
	o := s.objects[0]
	fill := &Fill{Number: 12, Version: 1, Asked: 2 * time.Millisecond, Sent: 9 * time.Millisecond, Status: 200}
	o.log.note(Event{At: 3 * time.Millisecond, Written: 2})
	by := &Invalidation{Number: 3, Writer: 1, Items: []string{"/s0/*", "#topic0"}, Completed: 8 * time.Millisecond}
	o.log.note(Event{At: 4 * time.Millisecond, Created: by})
	o.log.completed(floor{version: 2, by: by}, func() Instant { return by.Completed })
	o.log.sent(fill)
	v := o.judge(&Answer{Reader: 2, Edge: 1, Method: "GET", Sent: 10 * time.Millisecond, Begun: 10 * time.Millisecond, End: 11 * time.Millisecond,
		Status: 200, Version: 1, Fill: 12, Cache: "Hit from cloudfront"})
	var b bytes.Buffer
	v.Print(&b, []string{"http://a", "http://b"})
	const want = `VIOLATION, old: an answer for /s0/small/n000.css showed version 1; it was asked for 2.000 ms after version 2 was demanded of every answer

            ms  who          what
         3.000  origin       version 2 is written
         4.000  writer 1     creates invalidation 3: /s0/* #topic0
         8.000  writer 1     invalidation 3 is Completed
         9.000  origin       answer 12: 200, version 1; had been asked 7.000 ms before
>       11.000  reader 2     GET at http://b, asked 1.000 ms before: 200, version 1, of answer 12, Hit from cloudfront
`
	if strings.TrimSpace(b.String()) != strings.TrimSpace(want) {
		t.Errorf("printed\n%s", b.String())
	}
}
