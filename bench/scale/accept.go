package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/bench/fleet"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

var who = journal.Actor{User: "ops@example.com", AccessKey: "AKIAIOSFODNN7EXAMPLE", Address: "192.0.2.17"}

// accepted measures how many invalidations a control node takes in a second, each answered when it is on the disk.
func accepted(ctx context.Context, out *bytes.Buffer) error {
	fmt.Fprint(out, "Invalidations of one path accepted, each confirmed when the disk has synced it; those that wait share an entry:\n\n| callers at once | accepted in a second | entries appended in a second, those that say Completed included |\n|---|---|---|\n")
	for _, callers := range []int{1, 16, 256, 1024} {
		fmt.Fprintf(os.Stderr, "%d callers\n", callers)
		n, entries, took, err := accept(ctx, callers)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %d | %.0f | %.0f |\n", callers, float64(n)/took.Seconds(), float64(entries)/took.Seconds())
	}
	fmt.Fprintln(out)
	return nil
}

func accept(ctx context.Context, callers int) (n, entries int64, took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "warmfront-scale-")
	if err != nil {
		return 0, 0, 0, err
	}
	defer os.RemoveAll(dir)
	log, err := jetstream.Open(ctx, jetstream.Config{Dir: dir})
	if err != nil {
		return 0, 0, 0, err
	}
	defer log.Close()
	plane, err := control.New(control.Config{Log: log, Limits: control.Limits{InvalidationsInProgress: 1 << 30}})
	if err != nil {
		return 0, 0, 0, err
	}
	running, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { plane.Run(running) })
	<-plane.Ready()
	d, err := plane.CreateDistribution(ctx, who, fleet.Site(), nil)
	if err != nil {
		return 0, 0, 0, err
	}
	first, began := plane.Seq(), time.Now()
	var count atomic.Int64
	var failed atomic.Pointer[error]
	var callersDone sync.WaitGroup
	for range callers {
		callersDone.Go(func() {
			for time.Since(began) < *long && failed.Load() == nil {
				i := count.Add(1)
				_, _, err := plane.CreateInvalidation(ctx, who, d.ID, &wire.InvalidationBatch{
					CallerReference: wire.Ptr(fmt.Sprint(i)), Paths: &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{fmt.Sprintf("/images/%d/*", i)}},
				})
				if err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	callersDone.Wait()
	took = time.Since(began)
	if err := failed.Load(); err != nil {
		return 0, 0, 0, *err
	}
	return count.Load(), int64(plane.Seq() - first), took, nil
}

// carried says how many octets go to an edge for each invalidation, alone and with others, and come back.
func carried(_ context.Context, out *bytes.Buffer) error {
	fmt.Fprint(out, "Octets to each edge for an invalidation of one path, without the connection's own, and back:\n\n| invalidations in one entry | octets for each |\n|---|---|\n")
	for _, n := range []int{1, 100} {
		e := &journal.Entry{Epoch: "8f14e45fceea167a", Seq: 1_000_000, ID: journal.NewID(), Prev: journal.NewID(), Time: time.Now().UTC()}
		for i := range n {
			e.Facts = append(e.Facts, journal.Fact{Invalidated: &journal.Invalidated{
				DistributionID: "EDFDVBD6EXAMPLE", InvalidationID: "I2J0I21PCUYOIK", CallerReference: fmt.Sprint("deploy-2026-11-26T00:00:00Z-", i),
				Items: []string{fmt.Sprintf("/images/%d/*", i)}, CreateTime: time.Now().UTC(), By: who,
			}})
		}
		b, err := journal.Encode(e)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %d | %d |\n", n, len(b)/n)
	}
	fmt.Fprintln(out)
	return nil
}
