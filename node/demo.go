package node

import (
	"context"
	"fmt"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/demosite"
	"github.com/warmfront/warmfront/journal"
)

// The demonstration distribution: it is made once, by its caller reference, and then belongs to the
// user, who may change or delete it.
const (
	demoOrigin    = "demo.localhost" // mapped to wherever the site listens
	demoReference = "warmfront-demonstration"
	demoComment   = "Demonstration site"
)

// demoDistribution finds the demonstration distribution, or makes it when this data directory has
// never had one. It returns nil when the user has deleted it.
func (d *process) demoDistribution(ctx context.Context) (*control.Distribution, error) {
	if found, err := d.findDemo(); found != nil || err != nil {
		return found, err
	}
	if marked(d.Data, "demo-created") {
		return nil, nil
	}
	made, err := d.control.CreateDistribution(ctx, journal.Actor{User: "warmfront dev"}, demoConfig(), map[string]string{"Name": demoComment})
	if err != nil {
		return nil, err
	}
	return made, mark(d.Data, "demo-created")
}

func (d *process) findDemo() (*control.Distribution, error) {
	isDemo := func(x *control.Distribution) bool { return wire.Val(x.Config.CallerReference) == demoReference }
	page, err := d.control.Distributions(control.DistributionFilter{Match: isDemo}, "", 1)
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0], nil
}

// demoConfig caches by what the origin says, keeps tags, and leaves the API route alone.
func demoConfig() *wire.DistributionConfig {
	const (
		optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6" // Managed-CachingOptimized
		disabled  = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" // Managed-CachingDisabled
	)
	return &wire.DistributionConfig{
		CallerReference:   wire.Ptr(demoReference),
		Comment:           wire.Ptr(demoComment),
		Enabled:           wire.Ptr(true),
		DefaultRootObject: wire.Ptr("index.html"),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{
			Id: wire.Ptr("demo"), DomainName: wire.Ptr(demoOrigin),
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: wire.Ptr("http-only")},
		}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{
			TargetOriginId: wire.Ptr("demo"), ViewerProtocolPolicy: wire.Ptr("allow-all"), CachePolicyId: wire.Ptr(optimized),
		},
		CacheBehaviors: &wire.CacheBehaviors{Quantity: wire.Ptr[int64](1), Items: []wire.CacheBehavior{{
			PathPattern: wire.Ptr("/api/time"), TargetOriginId: wire.Ptr("demo"), ViewerProtocolPolicy: wire.Ptr("allow-all"), CachePolicyId: wire.Ptr(disabled),
		}}},
		CacheTagConfig: &wire.CacheTagConfig{HeaderName: wire.Ptr("x-amz-meta-cache-tag")},
	}
}

// startDemo serves the demonstration site and makes its distribution.
func (d *process) startDemo(ctx context.Context, p *phase) error {
	if d.ls.demo == nil {
		return nil
	}
	if _, mapped := d.resolve[demoOrigin]; !mapped {
		d.resolve[demoOrigin] = d.ls.demo.Addr().String()
	}
	dist, err := d.demoDistribution(ctx)
	if err != nil {
		return fmt.Errorf("demonstration distribution: %w", err)
	}
	d.ready.Demo = url(d.ls.demo)
	if dist != nil {
		d.ready.DemoDistribution, d.ready.DemoDomain = dist.ID, dist.DomainName
	}
	site, err := demosite.New(demosite.Config{
		Listener: d.ls.demo, Dir: d.Data, URL: d.ready.Demo, Logger: d.Logger.With("role", "demo"),
		Hint: func() (distribution, console string) { return d.ready.DemoDistribution, url(d.ls.control) + "/" },
	})
	if err != nil {
		return fmt.Errorf("demonstration site: %w", err)
	}
	p.run(site.Run)
	return nil
}
