package edge

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/origin"
)

// Slow leaders. Whoever waits for a fill depends on one question to the origin: on one connection, and on
// whatever answers behind it. Three bounds keep one bad connection from being everybody's.
//
//   - No head within patience, and somebody waits: the fill asks once more, and takes the head that comes first. A
//     second answer from 500 on does not count. That the fill stays one keeps its stamp, its waiters and its right to
//     store together; to let each waiter go by itself (as nginx's proxy_cache_lock_timeout does) would turn on an
//     origin that is slow for all of them the crowd that collapsing keeps away.
//   - Nothing of a body within silence: who comes then does not join, and takes its place with a fill of their own. What
//     had begun to read goes on reading; it cannot be stored any more.
//   - The origin's own limits, timeouts times attempts, end a question; its failure is everybody's, and kept for the
//     error caching minimum.
const (
	patience = 5 * time.Second
	silence  = 10 * time.Second
	// maxSecond bounds the second questions at once: an origin that is slow as a whole gets so many more, and not
	// twice as many.
	maxSecond = 16
)

// question asks; second: beside another one, which takes long.
type question func(ctx context.Context, second bool) (*origin.Response, *distribution.Behavior, error)

// asking is one question, and perhaps a second one beside it.
type asking struct {
	f     *flight
	ask   question
	first context.CancelFunc // gives the first one up
	timer *time.Timer

	mu     sync.Mutex
	over   bool               // guarded by mu: the first one has ended
	came   bool               // guarded by mu: with an answer, which counts
	second context.CancelFunc // guarded by mu; nil: none was begun

	// Of the second, if it counts. Set with mu, before done is closed.
	resp  *origin.Response
	asked *distribution.Behavior
	done  chan struct{}
}

// patiently asks, and once more if that takes long and somebody waits.
func (f *flight) patiently(ask question) (*origin.Response, *distribution.Behavior, error) {
	a := &asking{f: f, ask: ask, done: make(chan struct{})}
	var ctx context.Context
	ctx, a.first = context.WithCancel(f.ctx) // ends with the flight: the body needs it
	a.mu.Lock()
	a.timer = time.AfterFunc(patience, a.again)
	a.mu.Unlock()
	resp, asked, err := ask(ctx, false)
	if !a.finish(err == nil) {
		return resp, asked, err
	}
	<-a.done
	switch {
	case a.resp == nil:
		return resp, asked, err
	case err == nil:
		resp.Body.Close() // it came when it had been given up
	}
	return a.resp, a.asked, nil
}

// finish says that the first question has ended, and tells whether there is a second one.
func (a *asking) finish(came bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	a.timer.Stop()
	if a.second == nil {
		return false
	}
	if came && a.resp == nil {
		a.came = true
		a.second()
	}
	return true
}

// counts lets the second answer be the one, unless the first has come, and gives the other up.
func (a *asking) counts(resp *origin.Response, asked *distribution.Behavior) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.came {
		return false
	}
	a.resp, a.asked = resp, asked
	a.first()
	return true
}

// again is the second question. It runs when the first has taken long: in the timer's goroutine, for which
// patiently waits.
func (a *asking) again() {
	ctx := a.begin()
	if ctx == nil {
		return
	}
	defer close(a.done)
	defer a.f.e.flights.seconds.Add(-1)
	defer func() {
		if p := recover(); p != nil { // the first one may still do
			a.f.e.log.Error("BUG: second question panicked", "panic", p, "distribution", a.f.site.ID, "stack", string(debug.Stack()))
		}
	}()
	a.f.e.askedAgain.Add(1)
	resp, asked, err := a.ask(ctx, true)
	switch {
	case err != nil:
	case resp.Status >= 500, !a.counts(resp, asked):
		resp.Body.Close()
	}
}

// begin decides on a second question: nil for none, or not yet.
func (a *asking) begin() (ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil
	}
	if !a.f.waitedFor() || !a.f.e.flights.takeSecond() {
		a.timer.Reset(patience)
		return nil
	}
	ctx, a.second = context.WithCancel(a.f.ctx)
	return ctx
}

// takeSecond takes one of the places for second questions.
func (t *flights) takeSecond() bool {
	if t.seconds.Add(1) > maxSecond {
		t.seconds.Add(-1)
		return false
	}
	return true
}

// waitedFor tells whether somebody waits for the flight besides the viewer that began it.
func (f *flight) waitedFor() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.readers {
		if !r.first {
			return true
		}
	}
	return false
}

// silent tells whether the flight's body has stopped to come, so that nobody should join it any more.
func (f *flight) silent(now time.Duration) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head != nil && f.tape.whole && !f.ended && !f.sealed && now-f.touched > silence
}
