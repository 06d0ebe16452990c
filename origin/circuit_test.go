package origin

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// noon is when a circuit's test begins.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// drill drives a circuit by hand.
type drill struct {
	*testing.T
	c   circuit
	now time.Time
}

func newDrill(t *testing.T) *drill { return &drill{T: t, now: noon} }

func (d *drill) pass(after time.Duration) { d.now = d.now.Add(after) }

// ask asks for path and must be let through, as a probe or not.
func (d *drill) ask(path string, probe bool) turn {
	d.Helper()
	t, wait := d.c.admit(d.now, path)
	if wait > 0 || (t.probe != 0) != probe {
		d.Fatalf("at %v: wait %v, probe %v", d.now.Sub(noon), wait, t.probe != 0)
	}
	return t
}

func (d *drill) refused(want time.Duration) {
	d.Helper()
	if _, wait := d.c.admit(d.now, "/"); wait != want {
		d.Errorf("at %v: wait %v, want %v", d.now.Sub(noon), wait, want)
	}
}

func (d *drill) fail(t turn, k Kind) bool {
	return d.c.failed(t, d.now, &Error{Kind: k, Op: "ask", Err: errors.New("scripted")})
}

// down lets connections time out until the circuit is open.
func (d *drill) down() {
	d.Helper()
	for i := range openAfter {
		t := d.ask("/", false)
		d.pass(time.Second)
		if opened := d.fail(t, ConnectTimeout); opened != (i == openAfter-1) {
			d.Fatalf("failure %d opens: %v", i+1, opened)
		}
	}
}

func TestCircuit_OpensAfterFailuresInARow(t *testing.T) {
	d := newDrill(t)
	d.down()
	d.refused(minPause)
	if d.c.last == nil || !d.c.since.Equal(d.now) {
		t.Errorf("open without a reason: %+v", d.c)
	}
}

func TestCircuit_AnAnswerBeginsTheCountAgain(t *testing.T) {
	d := newDrill(t)
	for range 3 {
		for range openAfter - 1 {
			f := d.ask("/", false)
			d.pass(time.Second)
			if d.fail(f, Connect) {
				t.Fatal("opened")
			}
		}
		d.c.came(d.now)
	}
}

// A restart that takes a moment is not an outage, however many notice it.
func TestCircuit_NotWithinASecond(t *testing.T) {
	d := newDrill(t)
	for range 100 {
		f := d.ask("/", false)
		d.pass(5 * time.Millisecond)
		if d.fail(f, Connect) {
			t.Fatalf("opened after %v", d.now.Sub(noon))
		}
	}
	d.pass(500 * time.Millisecond)
	if !d.fail(d.ask("/", false), Connect) {
		t.Error("not opened after a second")
	}
}

func TestCircuit_WhatBeganBeforeAnAnswerIsNoFailure(t *testing.T) {
	d := newDrill(t)
	var old []turn
	for range 20 {
		old = append(old, d.ask("/slow", false))
	}
	d.pass(30 * time.Second)
	d.c.came(d.now)
	for _, f := range old {
		if d.fail(f, ConnectTimeout) {
			t.Fatal("opened by what an answer has overtaken")
		}
	}
}

func TestCircuit_SilenceOfOnePathIsNotDown(t *testing.T) {
	d := newDrill(t)
	for range 50 {
		f := d.ask("/hangs", false)
		d.pass(30 * time.Second)
		if d.fail(f, ReadTimeout) || d.fail(f, Closed) {
			t.Fatal("opened by one path")
		}
	}
	for i, path := range []string{"/b", "/hangs", "/b", "/hangs"} {
		f := d.ask(path, false)
		d.pass(30 * time.Second)
		if opened := d.fail(f, ReadTimeout); opened != (i == 3) {
			t.Fatalf("%d: opened: %v", i, opened)
		}
	}
}

func TestCircuit_OneProbeAtATime(t *testing.T) {
	d := newDrill(t)
	d.down()
	d.pass(minPause)
	d.ask("/a", true)
	d.pass(time.Second)
	d.refused(minPause)
	// One that takes long gives its place to another. What comes of it counts all the same.
	d.pass(probeTime - time.Second)
	second := d.ask("/b", true)
	d.refused(minPause)
	d.pass(probeTime)
	third := d.ask("/c", true)
	d.c.ended(second) // and does not take the third's place
	d.pass(minPause)
	d.refused(minPause)
	if !d.c.came(d.now) {
		t.Error("an answer did not close it")
	}
	d.ask("/a", false)
	if d.fail(third, ConnectTimeout) || d.c.failures != 0 {
		t.Error("the failure of a probe that an answer has overtaken counts")
	}
}

func TestCircuit_PausesAsLongAsFailuresTake(t *testing.T) {
	for _, x := range []struct{ took, pause time.Duration }{
		{time.Millisecond, minPause}, {50 * time.Millisecond, 500 * time.Millisecond}, {10 * time.Second, maxPause},
	} {
		d := newDrill(t)
		d.down()
		d.pass(minPause)
		p := d.ask("/", true)
		d.pass(x.took)
		if d.fail(p, ConnectTimeout) {
			t.Error("opened twice")
		}
		d.refused(x.pause)
		d.pass(x.pause)
		d.ask("/", true)
	}
}

func TestCircuit_AProbeOfWhichNothingIsLearntLeavesItOpen(t *testing.T) {
	d := newDrill(t)
	d.down()
	d.pass(minPause)
	p := d.ask("/", true)
	d.c.ended(p)
	d.refused(minPause)
	d.pass(minPause)
	d.ask("/", true)
}

func TestCircuit_WhatIsNoAnswer(t *testing.T) {
	for _, k := range Kinds() {
		silent := k == ReadTimeout || k == Closed
		want := silent || k == DNS || k == Connect || k == ConnectTimeout
		if got := noAnswer(&Error{Kind: k}, false); got != want {
			t.Errorf("%v before the first octet: %v, want %v", k, got, want)
		}
		if got := noAnswer(&Error{Kind: k}, true); got != (want && !silent) {
			t.Errorf("%v after it: %v", k, got)
		}
	}
}

// Whatever happens in whatever order: an answer lets everybody in; without one somebody is always let in before
// long; and while it is open probes begin no closer than the least pause.
func TestCircuit_AnyOrder(t *testing.T) {
	openings := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var c circuit
		var pending []turn
		var story strings.Builder
		now, lastProbe, starving := noon, time.Time{}, time.Time{}
		for range 400 {
			now = now.Add(time.Duration(r.IntN(400)) * time.Millisecond)
			switch n := r.IntN(10); {
			case n < 6:
				turn, wait := c.admit(now, fmt.Sprint("/", r.IntN(3)))
				fmt.Fprintf(&story, "%v admit: %v %v\n", now.Sub(noon), turn.probe, wait)
				switch {
				case wait > 0 && !c.open, wait < 0, wait > maxPause:
					t.Fatalf("seed %d: wait %v\n%s", seed, wait, story.String())
				case wait > 0 && starving.IsZero():
					starving = now
				case wait > 0 && now.Sub(starving) > 2*probeTime:
					t.Fatalf("seed %d: nobody let in since %v\n%s", seed, starving.Sub(noon), story.String())
				case wait == 0:
					if starving = (time.Time{}); turn.probe != 0 {
						if now.Sub(lastProbe) < minPause {
							t.Fatalf("seed %d: probes too close\n%s", seed, story.String())
						}
						lastProbe = now
					}
					pending = append(pending, turn)
				}
			case len(pending) > 0:
				i := r.IntN(len(pending))
				turn := pending[i]
				pending = append(pending[:i], pending[i+1:]...)
				switch k := r.IntN(20); {
				case k == 0:
					c.came(now)
					if _, wait := c.admit(now, "/"); wait > 0 || c.open {
						t.Fatalf("seed %d: refused after an answer\n%s", seed, story.String())
					}
				case k < 3:
					c.ended(turn)
				default:
					kind := []Kind{Connect, ConnectTimeout, DNS, ReadTimeout, Closed}[r.IntN(5)]
					opened := c.failed(turn, now, &Error{Kind: kind})
					fmt.Fprintf(&story, "%v %v: opened %v\n", now.Sub(noon), kind, opened)
					if opened {
						openings++
					}
					if opened && (c.failures < openAfter || now.Sub(c.first) < openTime || !c.open) {
						t.Fatalf("seed %d: opened by %+v\n%s", seed, c, story.String())
					}
				}
			}
		}
	}
	if openings < 100 {
		t.Errorf("opened only %d times", openings)
	}
}
