package guarantee

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// got is an answer of the origin that an edge has asked for, and shown at an instant.
func (s *story) got(o *Object, number uint64, at Instant, by ...string) {
	o.log.sent(&Fill{Number: number, Version: o.version.Load(), Sent: at, By: by})
	o.judge(&Answer{Via: by[len(by)-1], Method: "GET", Status: 200, Version: o.version.Load(), Fill: number, Sent: at, Begun: at, Head: at + 1, End: at + 2, Age: -1})
}

// What an edge had shown a while before the moment that a condition names is meant; what it has got from another edge, or nobody had seen, or who
// does not sign shows, may be another's.
func TestJudge_StoredBefore(t *testing.T) {
	const moment, done = 10 * time.Second, 12 * time.Second
	for name, c := range map[string]struct {
		shown Instant
		by    []string
		via   string
		want  Class
	}{
		"long before":         {moment - 2*skew, []string{"e1"}, "e1", Old},
		"just before":         {moment - skew/2, []string{"e1"}, "e1", None},
		"after":               {moment + skew, []string{"e1"}, "e1", None},
		"through another":     {moment - 2*skew, []string{"e2", "e1"}, "e2", None},
		"by another":          {moment - 2*skew, []string{"e2"}, "e1", None},
		"by who does not say": {moment - 2*skew, []string{"e1"}, "", None},
	} {
		s := newStory()
		o := s.objects[0]
		s.got(o, 7, c.shown, c.by...)
		by := &Invalidation{Number: 1, Where: &Where{Before: -time.Second, Until: moment}}
		o.log.narrowed(floor{version: 2, by: by}, func() Instant { return done })
		got := None
		if v := o.judge(&Answer{Via: c.via, Method: "GET", Status: 200, Version: 1, Fill: 7, Sent: done + 1, Begun: done + 1, Head: done + 2, End: done + 3}); v != nil {
			got = v.Class
		}
		if got != c.want {
			t.Errorf("%s: %v, should be %v", name, got, c.want)
		}
	}
}

func TestJudge_Age(t *testing.T) {
	const later = 20 * time.Second
	for name, c := range map[string]struct {
		age   int64
		cache string
		fill  uint64
		want  Class
	}{
		"as long as it was there":  {20, "Hit from cloudfront", 7, None},
		"it came with an age":      {300, "Hit from cloudfront", 7, None},
		"cut to seconds, twice":    {18, "Hit from cloudfront", 7, None},
		"less":                     {17, "Hit from cloudfront", 7, Misdated},
		"none":                     {-1, "Hit from cloudfront", 7, None},
		"no hit":                   {0, "Miss from cloudfront", 7, None},
		"another of the origin's":  {0, "Hit from cloudfront", 8, None},
		"of what nobody has asked": {0, "Hit from cloudfront", 9, None},
	} {
		s := newStory()
		o := s.objects[0]
		s.got(o, 7, time.Second, "e1")
		o.log.sent(&Fill{Number: 8, Version: 1, Sent: later, By: []string{"e1"}})
		sent := time.Second + later + 1
		got := None
		if v := o.judge(&Answer{Via: "e1", Method: "GET", Status: 200, Version: 1, Fill: c.fill, Cache: c.cache, Age: c.age, Sent: sent, Begun: sent, Head: sent, End: sent}); v != nil {
			got = v.Class
		}
		if got != c.want {
			t.Errorf("%s: %v, should be %v", name, got, c.want)
		}
	}
}

// What must not be used stale is not shown, marked or not.
func TestJudge_MarkedMustRevalidate(t *testing.T) {
	for _, k := range []Kind{Encoded, Tongued, Variant} {
		s := newStory()
		s.began = time.Now()
		o := s.object(k)
		d := s.create(1, &Batch{Items: []string{spellings[1].Replace(o.Target())}, Objects: []*Object{o}, Soft: true})
		d.floors[0] = 2
		s.complete(d, Outcome{})
		sent := s.now() + 1
		if v := o.judge(&Answer{Via: "e1", Method: "GET", Status: 200, Version: 1, Sent: sent, Begun: sent, End: sent + 1}); v == nil || v.Class != Old {
			t.Errorf("%s: %v", k, v)
		}
	}
}

// Of who does not sign is known at which address they answer, and whether anybody has asked.
func TestJudge_LingeringUnsigned(t *testing.T) {
	const done = 10 * time.Second
	for name, c := range map[string]struct {
		asked, opened Instant
		edge          int
		want          Class
	}{
		"nobody has asked":             {0, 0, 0, Lingering},
		"somebody had, before":         {done - 2, 0, 0, Lingering},
		"somebody has, once":           {done + 1, 0, 0, None},
		"another address":              {0, 0, 1, None},
		"the connection was not there": {0, done + 2*grace, 0, None},
	} {
		s := newStory()
		o := s.objects[0]
		by := &Invalidation{Number: 1, Soft: true, Created: done - 1}
		if c.asked > 0 {
			o.log.asked(askersOf(http.Header{}), func() Instant { return c.asked })(true)
		}
		o.log.marked(floor{version: 2, by: by}, nil, func() Instant { return done })
		show := func(edge int, sent Instant) *Violation {
			return o.judge(&Answer{Edge: edge, Method: "GET", Status: 200, Version: 1, Sent: sent, Begun: sent, End: sent + 1, Opened: c.opened})
		}
		if v := show(0, done+2); v != nil {
			t.Errorf("%s, at once: %v", name, v)
		}
		got := None
		if v := show(c.edge, done+2*grace); v != nil {
			got = v.Class
		}
		if got != c.want {
			t.Errorf("%s: %v, should be %v", name, got, c.want)
		}
	}
}

// Who answers on a new connection may have begun anew: it need not know what another process has done under its name.
func TestJudge_OnlyOnConnectionsThatAreOlder(t *testing.T) {
	const done = 10 * time.Second
	for _, c := range []struct {
		opened      Instant
		post, asked Class
	}{{done - 5, Overwritten, Lingering}, {done + 2*grace, None, None}} {
		s := newStory()
		sent := done + 3*grace
		a := func() *Answer {
			return &Answer{Via: "e1", Method: "GET", Status: 200, Version: 1, Sent: sent, Begun: sent, End: sent + 1, Opened: c.opened}
		}
		class := func(v *Violation) Class {
			if v == nil {
				return None
			}
			return v.Class
		}
		o := s.object(Written)
		o.log.posted(0, 2, func() Instant { return done })
		if got := class(o.judge(a())); got != c.post {
			t.Errorf("opened at %s, after a POST: %v", c.opened, got)
		}
		o = s.objects[0]
		o.log.marked(floor{version: 2, by: &Invalidation{Number: 1, Soft: true, Created: done - 1}}, nil, func() Instant { return done })
		at := done + grace
		o.log.asked([]string{"e1"}, func() Instant { at++; return at })(true)
		sent = at + 2*grace
		if got := class(o.judge(a())); got != c.asked {
			t.Errorf("opened at %s, after it had asked: %v", c.opened, got)
		}
	}
}

// While an object rests, nobody means it.
func TestRest(t *testing.T) {
	r := &run{history: &history{began: time.Now().Add(-restBetween), objects: newObjects(turns*2, 0)}}
	w := &writer{run: r, rnd: rand.New(rand.NewPCG(1, 1))}
	o := w.lay()
	if o == nil || w.lay() != nil {
		t.Fatal("one object rests at a time")
	}
	if !w.disturbs([]string{"/*"}) || !w.disturbs([]string{o.Target()}) || w.disturbs([]string{"/elsewhere/*"}) {
		t.Error("what means it disturbs it, and nothing else does")
	}
	r.rest.Store(&rest{o, r.now() - 1})
	if w.disturbs([]string{"/*"}) {
		t.Error("it has rested")
	}
}
