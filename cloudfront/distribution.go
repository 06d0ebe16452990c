package cloudfront

import (
	"context"
	"strconv"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
)

func createDistribution(ctx context.Context, c *call) (*result, error) {
	config := new(wire.DistributionConfig)
	if err := c.decode(config); err != nil {
		return nil, err
	}
	return created(c.control.CreateDistribution(ctx, c.by, config, nil))
}

func createDistributionWithTags(ctx context.Context, c *call) (*result, error) {
	both := new(wire.DistributionConfigWithTags)
	if err := c.decode(both); err != nil {
		return nil, err
	}
	if both.DistributionConfig == nil {
		return nil, wire.CheckRequired(both)
	}
	tags, err := tagMap(both.Tags)
	if err != nil {
		return nil, err
	}
	return created(c.control.CreateDistribution(ctx, c.by, both.DistributionConfig, tags))
}

func copyDistribution(ctx context.Context, c *call) (*result, error) {
	req := new(wire.CopyDistributionRequest)
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if staging := c.Header.Get("Staging"); staging != "" {
		v, err := strconv.ParseBool(staging)
		if err != nil {
			return nil, refuse("InvalidArgument", "The header Staging must be true or false, got '%.40s'.", staging)
		}
		req.Staging = &v
	}
	return created(c.control.CopyDistribution(ctx, c.by, c.label("PrimaryDistributionId"), c.ifMatch(), req))
}

func getDistribution(_ context.Context, c *call) (*result, error) {
	return distributionResult(c.control.Distribution(c.label("Id")))
}

func getDistributionConfig(_ context.Context, c *call) (*result, error) {
	d, err := c.control.Distribution(c.label("Id"))
	if err != nil {
		return nil, err
	}
	return &result{body: d.Config, etag: d.ETag}, nil
}

func updateDistribution(ctx context.Context, c *call) (*result, error) {
	config := new(wire.DistributionConfig)
	if err := c.decode(config); err != nil {
		return nil, err
	}
	return distributionResult(c.control.UpdateDistribution(ctx, c.by, c.label("Id"), c.ifMatch(), config))
}

func deleteDistribution(ctx context.Context, c *call) (*result, error) {
	return &result{}, c.control.DeleteDistribution(ctx, c.by, c.label("Id"), c.ifMatch())
}

func created(d *control.Distribution, err error) (*result, error) {
	r, err := distributionResult(d, err)
	if err == nil {
		r.location = "/distribution/" + d.ID
	}
	return r, err
}

func distributionResult(d *control.Distribution, err error) (*result, error) {
	if err != nil {
		return nil, err
	}
	return &result{etag: d.ETag, body: &wire.Distribution{
		Id:                            &d.ID,
		ARN:                           &d.ARN,
		Status:                        &d.Status,
		LastModifiedTime:              &wire.Timestamp{Time: d.LastModified},
		InProgressInvalidationBatches: wire.Ptr(int64(d.InProgressInvalidations)),
		DomainName:                    &d.DomainName,
		DistributionConfig:            d.Config,
		// Signed URLs are refused by validation for now, so none are active; clients need both to be there.
		ActiveTrustedSigners:   &wire.ActiveTrustedSigners{Enabled: wire.Ptr(false), Quantity: wire.Ptr(int64(0))},
		ActiveTrustedKeyGroups: &wire.ActiveTrustedKeyGroups{Enabled: wire.Ptr(false), Quantity: wire.Ptr(int64(0))},
		AliasICPRecordals:      recordals(d.Config.Aliases),
	}}, nil
}

// recordals says of each alias that no Chinese registration stands in its way.
func recordals(aliases *wire.Aliases) (all []wire.AliasICPRecordal) {
	if aliases == nil {
		return nil
	}
	for _, a := range aliases.Items {
		all = append(all, wire.AliasICPRecordal{CNAME: wire.Ptr(a), ICPRecordalStatus: wire.Ptr("APPROVED")})
	}
	return all
}

// summary has everything of the config: tools walk the list to find a distribution by its content.
func summary(d *control.Distribution) wire.DistributionSummary {
	c := d.Config
	return wire.DistributionSummary{
		Id:                            &d.ID,
		ARN:                           &d.ARN,
		ETag:                          &d.ETag,
		Status:                        &d.Status,
		LastModifiedTime:              &wire.Timestamp{Time: d.LastModified},
		DomainName:                    &d.DomainName,
		Aliases:                       c.Aliases,
		Origins:                       c.Origins,
		OriginGroups:                  c.OriginGroups,
		DefaultCacheBehavior:          c.DefaultCacheBehavior,
		CacheBehaviors:                c.CacheBehaviors,
		CustomErrorResponses:          c.CustomErrorResponses,
		Comment:                       c.Comment,
		PriceClass:                    c.PriceClass,
		Enabled:                       c.Enabled,
		ViewerCertificate:             c.ViewerCertificate,
		Restrictions:                  c.Restrictions,
		WebACLId:                      c.WebACLId,
		HttpVersion:                   c.HttpVersion,
		IsIPV6Enabled:                 c.IsIPV6Enabled,
		Staging:                       c.Staging,
		AliasICPRecordals:             recordals(c.Aliases),
		ConnectionMode:                c.ConnectionMode,
		AnycastIpListId:               c.AnycastIpListId,
		ViewerMtlsConfig:              c.ViewerMtlsConfig,
		ConnectionFunctionAssociation: c.ConnectionFunctionAssociation,
	}
}
