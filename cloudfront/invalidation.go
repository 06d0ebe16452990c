package cloudfront

import (
	"context"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
)

// createInvalidation answers 201 also when the same caller reference came with the same paths before:
// a client that lost the first answer repeats the request and gets it now.
func createInvalidation(ctx context.Context, c *call) (*result, error) {
	batch := new(wire.InvalidationBatch)
	if err := c.decode(batch); err != nil {
		return nil, err
	}
	if err := wire.CheckRequired(batch); err != nil {
		return nil, err
	}
	inv, _, err := c.control.CreateInvalidation(ctx, c.by, c.label("DistributionId"), batch)
	if err != nil {
		return nil, err
	}
	return &result{body: invalidationBody(inv), location: "/distribution/" + inv.DistributionID + "/invalidation/" + inv.ID}, nil
}

func getInvalidation(_ context.Context, c *call) (*result, error) {
	inv, err := c.control.Invalidation(c.label("DistributionId"), c.label("Id"))
	if err != nil {
		return nil, err
	}
	return &result{body: invalidationBody(inv)}, nil
}

func listInvalidations(_ context.Context, c *call) (*result, error) {
	marker, max, err := c.page()
	if err != nil {
		return nil, err
	}
	p, err := c.control.Invalidations(c.label("DistributionId"), marker, max)
	if err != nil {
		return nil, err
	}
	list := &wire.InvalidationList{
		Marker: &p.Marker, MaxItems: wire.Ptr(int64(p.MaxItems)), IsTruncated: &p.Truncated,
		Quantity: wire.Ptr(int64(len(p.Items))), NextMarker: nextMarker(p.NextMarker),
	}
	for _, inv := range p.Items {
		list.Items = append(list.Items, wire.InvalidationSummary{
			Id: &inv.ID, CreateTime: &wire.Timestamp{Time: inv.CreateTime}, Status: status(inv),
		})
	}
	return &result{body: list}, nil
}

// status is CloudFront's word. It knows no invalidation that is not in force yet: to a client it is one that takes
// long. Of one that was withdrawn it must not say Completed, on which clients wait.
func status(inv *control.Invalidation) *string {
	if inv.Status == control.Scheduled {
		return wire.Ptr(control.InProgress)
	}
	return &inv.Status
}

func invalidationBody(inv *control.Invalidation) *wire.Invalidation {
	return &wire.Invalidation{
		Id:         &inv.ID,
		Status:     status(inv),
		CreateTime: &wire.Timestamp{Time: inv.CreateTime},
		InvalidationBatch: &wire.InvalidationBatch{
			Paths:           &wire.Paths{Quantity: wire.Ptr(int64(len(inv.Items))), Items: inv.Items},
			CallerReference: &inv.CallerReference,
		},
	}
}
