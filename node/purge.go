package node

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
)

// purger takes what viewers purge at edges to the control plane of this process.
type purger struct {
	control *control.Control
	keys    *auth.Bearer
	known   auth.Lookup // of keys, now
	rate    *auth.Rate
}

// purge is edge.Config.Purge.
func (x *purger) purge(ctx context.Context, p edge.Purge) (edge.Purged, error) {
	key, err := x.keys.Admit(p.KeyID, p.Secret, p.Address)
	if err != nil {
		return edge.Purged{}, purgeRefusal(err)
	}
	if !key.Role.AtLeast(auth.Invalidator) {
		return edge.Purged{}, &edge.PurgeRefused{Status: 403, Message: "The user of this access key may not invalidate: give the role invalidator to it."}
	}
	if err := x.rate.Take(key.ID); err != nil {
		return edge.Purged{}, purgeRefusal(err)
	}
	changes, stop := x.control.Watch()
	defer stop()
	terms := control.Terms{Comment: "PURGE at " + p.Edge}
	if p.Soft {
		terms.Mode = distribution.InvalidationStale
	}
	n := int64(len(p.Items))
	may := func() bool { now, err := x.known(key.ID, ""); return err == nil && now == key }
	inv, _, err := x.control.Invalidate(control.Provided(ctx, may), journal.Actor{User: key.User, AccessKey: key.ID, Address: p.Address}, p.Distribution,
		&wire.InvalidationBatch{
			CallerReference: wire.Ptr("purge-" + rand.Text()), Paths: &wire.Paths{Quantity: &n, Items: p.Items},
		}, terms)
	if err != nil {
		return edge.Purged{}, purgeRefusal(err)
	}
	done := edge.Purged{ID: inv.ID}
	for p.Wait && !done.Completed {
		now, err := x.control.Invalidation(p.Distribution, inv.ID)
		switch {
		case err != nil: // the distribution has just been deleted
			return done, nil
		case now.Status == control.Completed:
			done.Completed = true
			continue
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return done, nil // it is accepted, whoever waits
		}
	}
	return done, nil
}

// purgeRefusal is the table from errors to what a viewer is told; what is not in it the edge logs.
func purgeRefusal(err error) error {
	var (
		tooMany *auth.TooManyTries
		tooFast *auth.Throttled
		no      *control.Error
	)
	switch {
	case errors.Is(err, auth.ErrWrongCredentials):
		return &edge.PurgeRefused{Status: 401, Message: "There is no such access key, or its secret is another."}
	case errors.As(err, &tooMany):
		return &edge.PurgeRefused{Status: 429, Message: "Too many wrong secrets of this access key have come from this address.", RetryAfter: tooMany.After}
	case errors.As(err, &tooFast):
		return &edge.PurgeRefused{Status: 429, Message: "Throttling: " + tooFast.Error() + ".", RetryAfter: tooFast.Wait}
	case !errors.As(err, &no):
		return err
	}
	refused := &edge.PurgeRefused{Status: 400, Message: no.Message}
	switch no.Code {
	case "ServiceUnavailable":
		refused.Status, refused.RetryAfter = 503, time.Second
		if errors.Is(err, journal.ErrDoubt) || errors.Is(err, context.DeadlineExceeded) { // the caller reference says nothing to a viewer
			refused.Message = "It is not known whether this was invalidated. It is safe to try again."
		}
	case "Throttling":
		refused.Status, refused.RetryAfter = 429, time.Second
	case "TooManyInvalidationsInProgress":
		refused.Status, refused.RetryAfter = 429, 2*time.Second
	case "BatchTooLarge":
		refused.Status = 413
	case "NoSuchDistribution":
		refused.Status = 404
	case "AccessDenied":
		refused.Status = 403
	}
	return refused
}
