package node

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// renewer renews an edge's certificate over the connection that it has: when two thirds of its life are over, or when the
// control plane has another authority. What fails is tried again some minutes later, which is thousands of times before the end. By the
// answers the edge learns where the control nodes are (jetstream.Remote), among them those that have come after it had joined.
type renewer struct {
	who *admission.Identity
	ask func(context.Context, jetstream.Renewal) (*jetstream.Renewed, error)
	log *slog.Logger

	every   time.Duration // default renewEvery
	failing bool          // and it was said
}

// renewEvery is how often an edge asks. Edges that were started together do not ask together.
const renewEvery = 5 * time.Minute

// run returns when ctx ends.
func (r *renewer) run(ctx context.Context) error {
	every := cmp.Or(r.every, renewEvery)
	next := time.NewTimer(rand.N(time.Minute))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		switch err := r.once(ctx); {
		case ctx.Err() != nil:
		case err == nil:
			r.failing = false
		case r.who.Due(time.Now()) && !r.failing:
			r.failing = true
			r.log.Warn("the edge's certificate is not renewed yet; it is tried again each few minutes", "until", r.who.Expires(), "err", err)
		}
		next.Reset(every/2 + rand.N(every))
	}
}

// once renews the certificate if it is time.
func (r *renewer) once(ctx context.Context) error {
	q := jetstream.Renewal{Edge: r.who.Edge, Serial: r.who.Serial()}
	a, err := r.ask(ctx, q)
	if err != nil {
		return err
	}
	if a.Authority == r.who.Authority() && !r.who.Due(time.Now()) {
		return nil
	}
	renewal, err := r.who.Renew()
	if err != nil {
		return err
	}
	q.Request = renewal.Request
	if a, err = r.ask(ctx, q); err != nil {
		return err
	}
	if err := renewal.Keep(a.Certificate, a.Root); err != nil {
		return fmt.Errorf("the certificate that was given: %w", err)
	}
	r.log.Info("the edge has another certificate", "until", r.who.Expires())
	return nil
}
