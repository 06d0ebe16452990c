package fleet

import (
	"testing"
	"time"
)

// Whatever the machine, nothing is known to be applied before it can have come, and Completed not before the farthest
// edge's word can have come back.
func TestRun_NothingIsFasterThanTheWay(t *testing.T) {
	const way = 20 * time.Millisecond
	out, err := Run(t.Context(), Config{Edges: 3, Nearest: way / 4, Farthest: way, Invalidations: 5, Every: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Accepted) != 5 || len(out.Applied) != 5 || len(out.Completed) != 5 {
		t.Fatalf("%+v", out)
	}
	if len(out.Late) == 0 || Quantile(out.Late, 0) < 0 {
		t.Errorf("timers were late by %v", out.Late)
	}
	for i := range out.Applied {
		if out.Applied[i] < way || out.Completed[i] < 2*way || out.Accepted[i] <= 0 {
			t.Errorf("accepted after %v, applied after %v, completed after %v", out.Accepted[i], out.Applied[i], out.Completed[i])
		}
	}
}

func TestDistance_IsEvenBetweenTheNearestAndTheFarthest(t *testing.T) {
	c := Config{Edges: 3, Nearest: 5, Farthest: 15}
	if a, b, d := c.distance(0), c.distance(1), c.distance(2); a != 5 || b != 10 || d != 15 {
		t.Errorf("%d %d %d", a, b, d)
	}
}

func TestPipe_KeepsTheOrder(t *testing.T) {
	p := newPipe(time.Millisecond)
	var got []int
	for i := range 100 {
		p.send(func() { got = append(got, i) })
	}
	p.close()
	for i, n := range got {
		if n != i {
			t.Fatalf("%v", got)
		}
	}
	if len(got) != 100 {
		t.Errorf("%d arrived", len(got))
	}
}

func TestQuantile(t *testing.T) {
	all := []time.Duration{3, 1, 2}
	if Quantile(all, 0.5) != 2 || Quantile(all, 1) != 3 || Quantile(nil, 0.5) != 0 || all[0] != 3 {
		t.Error(Quantile(all, 0.5), Quantile(all, 1), all)
	}
}
