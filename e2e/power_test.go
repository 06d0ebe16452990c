package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/smithy-go"
)

// TestCluster_PowerCut loses the power of a control node again and again while invalidations are accepted: all for which a 201 was
// given are there afterwards (L8), and the node starts without being told to accept a loss.
func TestCluster_PowerCut(t *testing.T) {
	cuts := 2
	if os.Getenv("CLUSTER_PAUSE") != "" {
		cuts = 12
	}
	v, err := newVolume(t, t.TempDir(), 256)
	if err != nil {
		t.Skipf("LEFT OUT, file systems cannot be mounted here: %v", err)
	}
	w := newWorld(v.dir)
	t.Cleanup(w.close)
	if err := w.startControl(controlAtFixed()); err != nil {
		t.Fatal(err)
	}
	o, err := newOrigin("site", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.origins["site"] = o
	if err := w.create("power", map[string]string{"origin": "site"}); err != nil {
		t.Fatal(err)
	}
	d := w.distributions["power"]
	accepted := map[string]string{} // caller's references to ids
	lost := 0                       // cuts that were ones: what the kernel writes by itself in that moment is there afterwards, and while other work fills its memory it writes at once
	for cut, began := 0, time.Now(); lost < cuts && time.Since(began) < patience; cut++ {
		publish(t, w, d.id, cut, accepted, func() {
			w.proc.cmd.Process.Signal(syscall.SIGSTOP)
			if err := os.WriteFile(filepath.Join(v.dir, "witness"), make([]byte, 4096), 0o600); err != nil {
				t.Error(err)
			}
			if err := v.cutPower(); err != nil {
				t.Error(err)
			}
			w.proc.kill()
		})
		if err := v.powerOn(); err != nil {
			t.Fatal(err)
		}
		if i, err := os.Stat(filepath.Join(v.dir, "witness")); err != nil || i.Size() == 0 {
			lost++
		}
		if err := w.startControl(w.args); err != nil {
			t.Fatalf("after cut %d: %v", cut+1, err)
		}
		missing(t, w, d.id, accepted)
	}
	t.Logf("%d cuts, %d invalidations were accepted", lost, len(accepted))
	if lost < cuts || len(accepted) < 10*cuts {
		t.Error("nothing is shown: too little was accepted, or what was written and not synced was there each time")
	}
}

// publish creates invalidations, eight at once, until cut has been called and none is answered any more. It notes those that were accepted.
func publish(t *testing.T, w *world, id string, round int, accepted map[string]string, cut func()) {
	api := w.api()
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	var all sync.WaitGroup
	enough := make(chan struct{}, 1)
	for g := range 8 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				reference := fmt.Sprintf("%d-%d-%d", round, g, n)
				out, err := api.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{DistributionId: &id, InvalidationBatch: &types.InvalidationBatch{
					CallerReference: &reference, Paths: &types.Paths{Quantity: aws.Int32(1), Items: []string{"/" + reference}},
				}})
				if err != nil {
					var said smithy.APIError
					if errors.As(err, &said) {
						t.Errorf("%s: %v", reference, err)
					}
					return
				}
				mu.Lock()
				accepted[reference] = *out.Invalidation.Id
				if len(accepted) >= 30*(round+1) {
					select {
					case enough <- struct{}{}:
					default:
					}
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
		t.Errorf("30 invalidations were not accepted in %v", patience)
	}
	cut()
	stop()
	all.Wait()
}

// missing reports what was accepted and is not there.
func missing(t *testing.T, w *world, id string, accepted map[string]string) {
	t.Helper()
	api := w.api()
	for reference, invalidation := range accepted {
		out, err := api.GetInvalidation(t.Context(), &cloudfront.GetInvalidationInput{DistributionId: &id, Id: &invalidation})
		switch {
		case err != nil:
			t.Errorf("%s was accepted: %v", reference, err)
		case *out.Invalidation.InvalidationBatch.CallerReference != reference:
			t.Errorf("%s: its id is another's", reference)
		}
	}
}
