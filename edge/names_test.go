package edge

import (
	"crypto/tls"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// other puts a second distribution that has an alias.
func other(w *world, alias string) {
	put := usual()
	put.ID, put.DomainName = "D2", "d2.cloudfront.test"
	put.Config.Aliases = &wire.Aliases{Quantity: wire.Ptr[int64](1), Items: []string{alias}}
	put.Config.HttpVersion = wire.Ptr("http2and3")
	distribution.FillDefaults(put.Config)
	w.commit(journal.Fact{DistributionPut: put})
	w.settle(0)
}

func TestPolicy_IsThatOfTheNamesDistribution(t *testing.T) {
	story(t, func(w *world) {
		other(w, "*.other.test")
		for name, want := range map[string]struct {
			known, http3 bool
			version      uint16
		}{host: {true, false, tls.VersionTLS10}, "a.other.test": {true, true, tls.VersionTLS10}, "": {}, "nobody.test": {}} {
			p, known := w.edge.Policy(name)
			if known != want.known || p.HTTP3 != want.http3 || p.MinVersion != want.version || known != (len(p.CipherSuites) > 0) {
				t.Errorf("%q: %+v, %v", name, p, known)
			}
		}
	})
}

// The connection of one distribution does not serve another (421); every name of one is the same.
func TestMisdirected_ByDistributionNotByName(t *testing.T) {
	story(t, func(w *world) {
		other(w, "*.other.test")
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60"))
		w.expect("200 Miss v1", "/a", "Host: 1.other.test", "ServerName: 1.other.test")
		for name, want := range map[string]string{
			"1.other.test": "200 Hit v1", "2.other.test": "200 Hit v1", "d2.cloudfront.test": "200 Hit v1", "": "200 Hit v1", "nobody.test": "200 Hit v1",
			host: "421 Error page",
		} {
			w.expect(want, "/a", "Host: 1.other.test", "ServerName: "+name)
		}
	})
}

// A plain hit is answered inline only where Serve would answer it.
func TestMisdirected_IsNoPlainHit(t *testing.T) {
	story(t, func(w *world) {
		other(w, "other.test")
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60"))
		w.get("/a")
		for name, want := range map[string]bool{host: true, "": true, "other.test": false} {
			if inline := w.both("/a", "ServerName: "+name); inline != want {
				t.Errorf("%q: answered inline: %v", name, inline)
			}
		}
	})
}
