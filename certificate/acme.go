package certificate

import (
	"context"
	"crypto/tls"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// ACME is an authority that gives certificates to whoever shows that a name leads to them (RFC 8555). It asks at
// the plain port (http-01, see Challenge) or in a TLS handshake (tls-alpn-01).
type ACME struct {
	CA    string // URL of its directory; "": Let's Encrypt
	Email string // for the account; may be ""
	// Host, HTTPPort and TLSPort are where this process listens. The authority itself always asks at 80 and 443.
	Host              string
	HTTPPort, TLSPort int
}

const (
	// obtainTime is how long a viewer waits for a certificate to be obtained for it.
	obtainTime = 8 * time.Second
	// maxObtaining bounds how many are obtained at once; beyond it a viewer gets what there is.
	maxObtaining = 16
	// obtainAgain is after what time a name that has failed is tried again: authorities count failures.
	obtainAgain = 10 * time.Minute
	// maxFailed bounds the names whose failures are remembered; beyond it all are forgotten.
	maxFailed = 4096
)

// acme is the state of what is obtained.
type acme struct {
	ctx    context.Context // ends with Run
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	obtained map[string]chan struct{}          // what is being obtained; closed at its end; guarded by mu
	failed   map[string]time.Time              // guarded by mu
	managed  map[string]func(name string) bool // what is renewed, as long as this allows it; guarded by mu
}

func (s *Store) openACME() {
	a := &s.acme
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.obtained, a.failed, a.managed = map[string]chan struct{}{}, map[string]time.Time{}, map[string]func(string) bool{}
	if s.c.ACME == nil {
		return
	}
	ca := s.c.ACME.CA
	if ca == "" {
		ca = certmagic.LetsEncryptProductionCA
	}
	// certmagic takes a port that is in use for one that leads to us, which these do.
	s.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(s.magic, certmagic.ACMEIssuer{
		CA: ca, TestCA: ca, Email: s.c.ACME.Email, Agreed: true, Logger: s.magic.Logger,
		ListenHost: s.c.ACME.Host, AltHTTPPort: s.c.ACME.HTTPPort, AltTLSALPNPort: s.c.ACME.TLSPort,
	})}
}

// closeACME ends what is being obtained and waits for it.
func (s *Store) closeACME() {
	s.acme.cancel()
	s.acme.work.Wait()
}

// obtained waits until a certificate for the name has been obtained, if may allows that. It reports whether there
// may be one now.
func (s *Store) obtained(ctx context.Context, n string, may func(name string) bool) bool {
	if s.c.ACME == nil || n == "" || !may(n) {
		return false
	}
	done := s.obtain(n, may)
	if done == nil {
		return false
	}
	t := time.NewTimer(obtainTime)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// obtain begins to obtain a certificate, unless that is under way. It returns nil when it must not be tried.
func (s *Store) obtain(n string, may func(name string) bool) <-chan struct{} {
	a := &s.acme
	a.mu.Lock()
	defer a.mu.Unlock()
	if done := a.obtained[n]; done != nil {
		return done
	}
	if at, failed := a.failed[n]; a.ctx.Err() != nil || len(a.obtained) >= maxObtaining || failed && time.Since(at) < obtainAgain {
		return nil
	}
	done := make(chan struct{})
	a.obtained[n] = done
	a.work.Go(func() {
		err := s.magic.ManageSync(a.ctx, []string{n}) // from what is kept, or from the authority
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.obtained, n)
		delete(a.failed, n)
		if err == nil {
			a.managed[n] = may
		} else {
			if len(a.failed) >= maxFailed {
				clear(a.failed)
			}
			a.failed[n] = time.Now()
		}
		close(done)
	})
	return done
}

// forget ends the renewal of names that are no aliases any more. What was obtained is kept on disk, should they
// become ones again.
func (s *Store) forget() {
	a := &s.acme
	a.mu.Lock()
	defer a.mu.Unlock()
	for n, may := range a.managed {
		if !may(n) {
			delete(a.managed, n)
			s.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: n}})
		}
	}
}

// alpn is the protocol of tls-alpn-01 (RFC 8737).
const alpn = "acme-tls/1"

// challenged tells whether an authority is asking.
func challenged(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == alpn
}

// challengePath is below what http-01 asks (RFC 8555 section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// Challenge returns what a request by plain HTTP to a host must be answered with, if it is the authority's
// question about a certificate that is being obtained.
func Challenge(host, path string) (answer string, ok bool) {
	if !strings.HasPrefix(path, challengePath) {
		return "", false
	}
	c, ok := certmagic.GetACMEChallenge(host)
	if !ok || c.HTTP01ResourcePath() != path {
		return "", false
	}
	return c.KeyAuthorization, true
}
