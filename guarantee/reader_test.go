package guarantee

import (
	"math/rand/v2"
	"testing"
)

// What is asked for lies in every version, in order, and those of an object with one ETag are whole lines.
func TestPart_LiesInEveryVersion(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	most := 0
	for _, o := range newObjects(turns, 64<<10) {
		if o.Kind == Encoded || o.Kind == Failing {
			continue
		}
		for range 500 {
			q := question{object: o}
			q.ranges(rnd)
			if len(q.parts) == 0 {
				t.Fatalf("%s: nothing is asked for", o)
			}
			most = max(most, len(q.parts))
			for at := int64(-1); len(q.parts) > 0; q.parts = q.parts[1:] {
				p := q.parts[0]
				if p.first <= at || p.last < p.first || p.last >= int64(o.least*lineSize) || o.Kind == Rebuilt && (p.first%lineSize != 0 || (p.last+1)%lineSize != 0) {
					t.Fatalf("%s: %s after %d", o, p, at)
				}
				at = p.last
			}
		}
	}
	if most != 3 {
		t.Errorf("%d ranges at most", most)
	}
}
