package control_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// BenchmarkAccept is what a disk that is synced bounds: invalidations accepted, by so many callers at once.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 16, 256, 2048} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			log, err := jetstream.Open(b.Context(), jetstream.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			plane, err := control.New(control.Config{Log: log, Limits: control.Limits{InvalidationsInProgress: 1 << 30}})
			if err != nil {
				b.Fatal(err)
			}
			go plane.Run(b.Context())
			<-plane.Ready()
			who := journal.Actor{User: "bench"}
			d, err := plane.CreateDistribution(b.Context(), who, site(), nil)
			if err != nil {
				b.Fatal(err)
			}
			var n atomic.Int64
			b.SetParallelism(callers / 2)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					if _, _, err := plane.CreateInvalidation(b.Context(), who, d.ID, &wire.InvalidationBatch{
						CallerReference: wire.Ptr(fmt.Sprint(i)), Paths: &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{fmt.Sprintf("/a/%d/*", i)}},
					}); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepted/s")
		})
	}
}

func site() *wire.DistributionConfig {
	return &wire.DistributionConfig{
		CallerReference: wire.Ptr("bench"), Comment: wire.Ptr("bench"), Enabled: wire.Ptr(true),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{
			Id: wire.Ptr("o"), DomainName: wire.Ptr("origin.invalid"),
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: wire.Ptr("http-only")},
		}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{
			TargetOriginId: wire.Ptr("o"), ViewerProtocolPolicy: wire.Ptr("allow-all"), CachePolicyId: wire.Ptr("658327ea-f89d-4fab-a63d-7e88639e58f6"),
		},
	}
}
