package edge

import (
	"io"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// An edge that cannot read a configuration goes on by the one before, which is not what others mean by its number.
func TestL7_ConfigurationThatCannotBeReadAnswersNoOtherEdge(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.configure(func(p *journal.DistributionPut) {
			p.Config.DefaultCacheBehavior.TargetOriginId = wire.Ptr("of-a-later-version")
		})
		f.origin.on("/a", ok("v1"))
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		if asked := f.take(); len(asked) > 0 {
			t.Errorf("asked %q", asked)
		}
		e := f.at("LHR50-1").edge
		s := e.snap.Load()
		r, w := io.Pipe()
		go io.Copy(io.Discard, r)
		p := &pipe{head: make(chan *tier.Head, 1), w: w}
		e.ServeChild(t.Context(), "FRA50-1", &tier.Ask{Epoch: string(s.epoch), Least: s.seq, Entry: string(s.id), Distribution: "D1",
			Revision: s.sites.of("D1").rev, Through: []string{"FRA50-1"}, Request: request("/a").Request}, p)
		p.close()
		if h := <-p.head; h.Refused != tier.Elsewhere {
			t.Errorf("%+v", h)
		}
		f.configure(nil)
		f.origin.on("/b", ok("v1"))
		f.at("FRA50-1").expect("200 Miss v1", "/b")
		if len(f.take()) == 0 {
			t.Error("nobody is asked any more")
		}
	})
}
