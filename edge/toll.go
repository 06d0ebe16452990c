package edge

import (
	"context"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/invalidation"
)

// toll is what a question has to pass; the zero value is for what nothing is owed for.
type toll struct {
	p    *pace
	url  uint64
	paid bool // for the next question, which is the first

	marked bool // what the question is to renew is there, and marked stale
}

// toll finds out which pace a question belongs to: that of the last invalidation that has dropped the object.
func (x *site) toll(e *Edge, s *invalidation.Subject, stored bool) toll {
	if len(x.paces) == 0 {
		return toll{}
	}
	now, url := e.clock(), e.pacing.url(s)
	for i := len(x.paces) - 1; i >= 0; i-- {
		p := x.paces[i].pace
		if i+1 < len(x.paces) && p == x.paces[i+1].pace {
			continue // asked already: several share it
		}
		if !p.over(now) && p.owes(url, stored) {
			return toll{p: p, url: url}
		}
	}
	return toll{}
}

// tollOf is the toll of a flight's question: by what it is to renew, if that is marked, else by what is owed.
func (f *flight) tollOf(old *cache.Object) toll {
	if f.cut == nil && f.seen != nil && len(f.site.paces) > 0 {
		if p := f.site.pacedBy(f.site.marked(f.seen)); p != nil && !p.over(f.e.clock()) {
			return toll{p: p, url: f.e.pacing.url(f.subject.Load()), marked: true}
		}
	}
	return f.site.toll(f.e, f.subject.Load(), old != nil)
}

// pass waits until a question may be asked: nil, errPaced, or an *origin.Error when ctx has ended.
func (t *toll) pass(ctx context.Context) error {
	if t.p == nil {
		return nil
	}
	if t.paid {
		t.paid = false
		return nil
	}
	return t.p.wait(ctx)
}

// again passes it for one more question of a fetch; nil where there is nothing to pass.
func (t *toll) again() func(context.Context) error {
	if t.p == nil {
		return nil
	}
	return t.pass
}

// answered says what came of the questions: status is 0 when nothing did.
func (t *toll) answered(status int) {
	switch {
	case t.p == nil:
	case status > 0 && status < 500:
		t.p.paid(t.url)
	case t.marked:
		t.p.still(t.url)
	}
}

// turnFor takes a turn for the renewal of what a rule has marked: false when there is none now.
func (f *flight) turnFor(rule uint64) bool {
	if len(f.site.paces) == 0 {
		return true
	}
	p := f.site.pacedBy(rule)
	if p == nil || p.over(f.e.clock()) || len(f.upwards()) > 0 {
		return true
	}
	f.prepaid = p.try() && !planted(paceTurnless)
	return f.prepaid
}

// retryAfter is when a viewer may come again, in seconds: when those that wait now have been let through. 0: nothing
// is owed.
func (t *toll) retryAfter() int {
	if t.p == nil {
		return 0
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	return int(time.Duration(t.p.waiting.Load()+1)*t.p.every/time.Second) + 1
}
