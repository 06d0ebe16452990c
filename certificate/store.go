package certificate

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// Store holds the certificates that an operator has put into a directory, and those that an ACME authority has given. OCSP
// responses are stapled to both. Open makes it, Run keeps it up to date, and the rest may be called concurrently
// meanwhile.
type Store struct {
	c     StoreConfig
	log   *slog.Logger
	magic *certmagic.Config
	cache *certmagic.Cache

	// Of what is read from the directory; owned by Run.
	state  string   // that the files had
	refuse string   // the state that could not be read
	hashes []string // in the cache

	acme acme
}

// StoreConfig says what a Store is made of.
type StoreConfig struct {
	Dir    string       // of the operator's pairs; "": none
	State  string       // a directory for what is kept: staples, the account with the ACME authority, its certificates
	ACME   *ACME        // nil: none
	Logger *slog.Logger // nil: slog.Default()
}

const (
	reloadEvery = 5 * time.Second // how soon a change in the directory is seen
	stapleTime  = 5 * time.Second // for an OCSP responder, while a certificate is read; later it is asked again
)

// Open reads the directory; whatever is wrong in it is an error. It starts certmagic's maintenance, which Run
// ends: Run must be called.
func Open(ctx context.Context, c StoreConfig) (*Store, error) {
	s := &Store{c: c, log: c.Logger}
	if s.log == nil {
		s.log = slog.Default()
	}
	var p *pairs
	if c.Dir != "" {
		var err error
		if p, err = readPairs(c.Dir); err != nil {
			return nil, err
		}
	}
	quiet := zap.NewNop() // what matters comes by event
	s.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return s.magic, nil },
		Logger:           quiet,
	})
	s.magic = certmagic.New(s.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: c.State}, Logger: quiet, OnEvent: s.event,
	})
	s.openACME()
	if p != nil {
		if err := s.use(ctx, p); err != nil {
			s.cache.Stop()
			return nil, err
		}
	}
	return s, nil
}

// Run reads the directory again when it has changed, until ctx ends. Goroutines: certmagic's maintenance, and one for
// each certificate that is being obtained; all waited for here.
func (s *Store) Run(ctx context.Context) error {
	defer s.cache.Stop()
	defer s.closeACME()
	t := time.NewTicker(reloadEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if s.c.Dir != "" {
				s.reload(ctx)
			}
			s.forget()
		}
	}
}

// reload takes over what has changed in the directory. As long as something is wrong in it, what was there before
// is shown.
func (s *Store) reload(ctx context.Context) {
	state, err := stateOf(s.c.Dir)
	if err == nil && (state == s.state || state == s.refuse) {
		return
	}
	var p *pairs
	if err == nil {
		p, err = readPairs(s.c.Dir)
	}
	if err == nil {
		err = s.use(ctx, p)
	}
	if err != nil {
		if state != s.refuse || state == "" {
			s.log.Warn("certificates not taken over", "dir", s.c.Dir, "err", err)
		}
		s.refuse = state
		return
	}
	s.refuse = ""
	s.log.Info("certificates read", "dir", s.c.Dir, "pairs", len(p.list))
}

// use puts the pairs of the directory in the place of those before.
func (s *Store) use(ctx context.Context, p *pairs) error {
	var now []string
	for _, x := range p.list {
		if left := time.Until(x.Leaf.NotAfter); left < 7*24*time.Hour {
			s.log.Warn("certificate ends soon or has ended", "file", x.file, "ends", x.Leaf.NotAfter)
		}
		stapling, cancel := context.WithTimeout(ctx, stapleTime)
		hash, err := s.magic.CacheUnmanagedTLSCertificate(stapling, x.Certificate, nil)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", x.file, err)
		}
		now = append(now, hash)
	}
	s.cache.Remove(slices.DeleteFunc(s.hashes, func(h string) bool { return slices.Contains(now, h) }))
	s.hashes, s.state = now, p.state
	return nil
}

// Certificates returns what finds the certificate of the name in a hello: one of the store's that covers it, or one
// that is obtained because the name is one of those that obtain knows, or what next finds.
func (s *Store) Certificates(obtain func(name string) bool, next func(*tls.ClientHelloInfo) (*tls.Certificate, error)) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if challenged(hello) {
			return s.magic.GetCertificate(hello)
		}
		n := name(hello)
		if c := s.stored(n, hello); c != nil {
			return c, nil
		}
		if s.obtained(hello.Context(), n, obtain) {
			if c := s.stored(n, hello); c != nil {
				return c, nil
			}
		}
		return next(hello)
	}
}

// stored returns the certificate for a name that the viewer can use and that ends last; one that has ended
// only if there is no other.
func (s *Store) stored(n string, hello *tls.ClientHelloInfo) *tls.Certificate {
	if n == "" {
		return nil
	}
	var best *certmagic.Certificate
	for _, c := range s.cache.AllMatchingCertificates(n) {
		if c.Leaf.VerifyHostname(n) != nil || hello.SupportsCertificate(&c.Certificate) != nil {
			continue
		}
		if best == nil || c.Leaf.NotAfter.After(best.Leaf.NotAfter) {
			best = &c
		}
	}
	if best == nil {
		return nil
	}
	return &best.Certificate
}

// event turns certmagic's events into ours.
func (s *Store) event(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		s.log.Info("certificate obtained", "name", data["identifier"], "issuer", data["issuer"], "renewal", data["renewal"])
	case "cert_failed":
		s.log.Warn("certificate not obtained", "name", data["identifier"], "err", data["error"], "renewal", data["renewal"])
	case "cert_ocsp_revoked":
		s.log.Error("certificate is revoked", "names", data["subjects"])
	}
	return nil
}
