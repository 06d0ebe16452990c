package simulation

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
)

// operate changes content and invalidates what is old, again and again.
func (w *world) operate() {
	r := w.luckOf("operator")
	for n := 0; time.Since(w.began) < calm+trouble; n++ {
		pause(r.within(1500 * time.Millisecond))
		path := r.n(paths)
		version := w.origin.change(path)
		item := fmt.Sprintf([]string{"/p%d", "/p%d*", "#t%d", "/*%d"}[r.n(4)], path)
		reference := "r" + strconv.Itoa(n)
		w.note("/p%d is version %d: %s, %s", path, version, item, reference)
		for twin := range 1 + r.n(4)/3 { // now and then two machines of theirs do it
			w.running.Go(func() { w.invalidate(w.luckOf(reference+strconv.Itoa(twin)), reference, item) })
		}
	}
}

// invalidate asks one control node after the other until it is accepted.
func (w *world) invalidate(r *luck, reference, item string) {
	batch := &wire.InvalidationBatch{CallerReference: &reference, Paths: &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{item}}}
	for !w.ended() {
		c, l := w.anyControl(r)
		if c != nil {
			w.stands(l.node)
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond+r.within(4*time.Second))
			inv, created, err := c.CreateInvalidation(ctx, journal.Actor{User: "ops"}, theDistribution.ID, batch)
			cancel()
			if err == nil && !l.isDown() {
				w.stands(l.node)
				w.note("%s: %s is %s, number %d, new: %v", l.node, reference, inv.ID, inv.Seq, created)
				w.check.accepted(reference, inv)
				return
			}
		}
		pause(r.within(300 * time.Millisecond))
	}
}
