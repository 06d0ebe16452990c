package edge

import (
	"fmt"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// L4, E4: in a stream of rules that does not end there are never more of them than come in some seconds, although objects are
// stored and slow fills are in the air all the time; and in the end there are none.
func TestSweep_L4_ASteadyStreamLeavesFewRules(t *testing.T) {
	const seconds, rate = 30, 50
	for name, options := range map[string][]func(*world){"memory": nil, "disk": {withDisk}} {
		story(t, func(w *world) {
			slow := make(chan struct{})
			w.origin.on("/slow", &reply{status: 200, body: "x", head: slow})
			most := 0
			for i := range seconds * rate {
				path := fmt.Sprintf("/%d", i%200)
				w.origin.on(path, ok("x", "Content-Type: text/css"))
				w.get(path)
				if i%(3*rate) == 0 { // each takes three seconds
					if i > 0 {
						slow <- struct{}{}
					}
					w.ask(fmt.Sprint("/slow?", i))
				}
				where := []*journal.Where{nil, {Status: []string{"404"}}, {ContentType: []string{"text/*"}}, {StoredBefore: w.edge.now()}}[i%4]
				w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: fmt.Sprint("I", i),
					Items: []string{fmt.Sprintf("/%d*", i), fmt.Sprintf("/*/%d.css", i)}, Where: where}})
				w.settle(time.Second / rate)
				most = max(most, w.edge.Stats().Rules)
			}
			if bound := 2 * rate * 12; most > bound || most < 2*rate { // and the fills do hold some
				t.Errorf("%s: %d rules at one time of %d that came, more than %d", name, most, 2*seconds*rate, bound)
			}
			close(slow)
			w.settle(time.Minute)
			if n := w.edge.Stats().Rules; n != 0 {
				t.Errorf("%s: %d rules are left", name, n)
			}
			t.Logf("%s: at most %d rules", name, most)
		}, options...)
	}
}
