package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// Over two years an edge renews its certificate each 60 days, through failures of the control plane and its loss of
// answers, and never shows one that has ended; an authority that is renewed meanwhile is met within two hours.
func TestRenewer_TwoYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, home := t.TempDir(), t.TempDir()
		open := func() *admission.Authority {
			a, err := admission.OpenAuthority(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		var authority atomic.Pointer[admission.Authority]
		authority.Store(open())
		who := identityOf(t, authority.Load(), home)
		calls, given := 0, 0
		ask := func(_ context.Context, r jetstream.Renewal) (*jetstream.Renewed, error) {
			calls++
			if calls%3 == 0 {
				return nil, errors.New("away")
			}
			authority := authority.Load()
			a := &jetstream.Renewed{Authority: authority.Fingerprint()}
			if len(r.Request) == 0 {
				return a, nil
			}
			der, _, err := authority.SignEdge(r.Request, r.Edge)
			if err != nil {
				t.Error(err)
			}
			if calls%5 == 0 {
				return nil, errors.New("lost on the way back")
			}
			given++
			a.Certificate, a.Root = der, authority.Root()
			return a, nil
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&renewer{who: who, ask: ask, every: time.Hour, log: slog.New(slog.DiscardHandler)}).run(ctx)
		}()
		for day := range 730 {
			if day == 400 {
				if _, err := admission.RenewAuthority(dir, nil); err != nil {
					t.Fatal(err)
				}
				authority.Store(open())
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if left := time.Until(who.Expires()); left < 29*24*time.Hour {
				t.Fatalf("day %d: its certificate ends in %v", day, left)
			}
			if who.Authority() != authority.Load().Fingerprint() {
				t.Fatalf("day %d: it knows another authority", day)
			}
		}
		if given < 12 || given > 14 {
			t.Errorf("%d certificates in two years, want one in 60 days and one for the authority", given)
		}
		stop()
		<-done
		if again, err := admission.OpenIdentity(home); err != nil || again.Serial() != who.Serial() {
			t.Errorf("after a restart: %v", err)
		}
	})
}

// identityOf is an edge that an authority has admitted, without a network.
func identityOf(t *testing.T, a *admission.Authority, home string) *admission.Identity {
	t.Helper()
	control, err := a.Control()
	if err != nil {
		t.Fatal(err)
	}
	p, err := admission.NewApplicant(admission.Token{Root: a.Fingerprint()})
	if err != nil {
		t.Fatal(err)
	}
	shown := tls.ConnectionState{}
	for _, der := range control.Certificates[0].Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		shown.PeerCertificates = append(shown.PeerCertificates, c)
	}
	if err := p.TLS().VerifyConnection(shown); err != nil {
		t.Fatal(err)
	}
	der, _, err := a.SignEdge(p.Request, "FRA50-1")
	if err != nil {
		t.Fatal(err)
	}
	i, err := p.Keep(home, "FRA50-1", "FRA50", der, a.Root(), []string{"127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// Over real connections: an edge is given another certificate without a restart, and by the authority's renewal; with the new one it
// comes back to control nodes that know it, and the one before counts as long as it is the one before.
func TestEdge_RenewsOverItsConnection(t *testing.T) {
	cc := controlConfig(t)
	d, stop := startRole(t, Control, cc)
	ec := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	_, stopEdge := startRole(t, Edge, ec)
	if err := errors.Join(stopEdge(), stop()); err != nil {
		t.Fatal(err)
	}
	if _, err := admission.RenewAuthority(filepath.Join(cc.Data, "authority"), nil); err != nil {
		t.Fatal(err)
	}
	d, stop = startRole(t, Control, cc)
	ec.Token = ""
	e, stopEdge := startRole(t, Edge, ec) // by the old authority's certificate
	remote := e.log.(*jetstream.Remote)
	who, err := admission.OpenIdentity(filepath.Join(ec.Data, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	first := who.Serial()
	r := &renewer{who: who, ask: remote.Renew, log: ec.Logger}
	if err := r.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if who.Serial() == first || who.Authority() != d.gate.authority.Fingerprint() {
		t.Error("it has not changed over")
	}
	if a, _ := d.control.Admitted("FRA50-1"); !a.Shows(first) || !a.Shows(who.Serial()) {
		t.Errorf("%+v", a)
	}
	serial := who.Serial()
	if err := r.once(t.Context()); err != nil || who.Serial() != serial {
		t.Errorf("when it is not due it asks for another: %v", err)
	}
	if err := stopEdge(); err != nil {
		t.Fatal(err)
	}
	_, stopEdge = startRole(t, Edge, ec) // by the new one
	if err := errors.Join(stopEdge(), stop()); err != nil {
		t.Fatal(err)
	}
}

// A removed edge is told so, and with a token is one again on the same directory.
func TestEdge_RemovedComesBackWithAToken(t *testing.T) {
	cc := controlConfig(t)
	d, stop := startRole(t, Control, cc)
	ec := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	_, stopEdge := startRole(t, Edge, ec)
	if err := stopEdge(); err != nil {
		t.Fatal(err)
	}
	if err := d.control.RemoveEdge(t.Context(), journal.Actor{User: "test"}, "FRA50-1"); err != nil {
		t.Fatal(err)
	}
	who, err := admission.OpenIdentity(filepath.Join(ec.Data, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	err = jetstream.Knock(who.Addresses, nil, who.TLS(), who.Edge)
	if !errors.Is(err, jetstream.ErrRefused) || !strings.Contains(err.Error(), "warmfront edge token") {
		t.Errorf("removed, it is told %v", err)
	}
	ec.Token = tokenFor(t, d, "FRA50-1")
	_, stopEdge = startRole(t, Edge, ec)
	if err := stopEdge(); err != nil {
		t.Fatal(err)
	}
	// The same token is left where it is, as in a unit file: it is used up, and the edge is one.
	_, stopEdge = startRole(t, Edge, ec)
	if err := errors.Join(stopEdge(), stop()); err != nil {
		t.Fatal(err)
	}
}

// An edge whose certificate has ended says so, and what to do.
func TestEdge_ExpiredSaysWhatToDo(t *testing.T) {
	c := edgeConfig(t, "")
	long, err := admission.OpenAuthority(t.TempDir(), func() time.Time { return time.Now().Add(-100 * 24 * time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	identityOf(t, long, filepath.Join(c.Data, "identity"))
	if err := Edge(t.Context(), c); err == nil || !strings.Contains(err.Error(), "has expired") || !strings.Contains(err.Error(), "warmfront edge token FRA50-1") {
		t.Errorf("%v", err)
	}
	says(t, "config check", CheckEdge(c).Faults, "has expired")
}
