package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// field is where the batteries are fought: one process with one edge, a recording origin, and one
// distribution for each set of policies. Another distribution, with an origin of its own, is the victim
// that must never be touched.
type field struct {
	*world
	edge   string // host:port
	secure string // host:port of the same for https
	origin *recorder
	bank   *recorder // the victim's
	manner manner
	probes int
	fought int
}

// policySets are the distributions of the batteries. Each has the alias <name>.example.
var policySets = map[string]map[string]string{
	// What most have: Managed-CachingOptimized. No header, cookie or query parameter is in the key or goes to the origin.
	"optimized": {"policy": "optimized"},
	// An application: nothing is cached, the origin gets all that the viewer sent.
	"disabled": {"policy": "disabled", "orp": "all-viewer", "methods": "7"},
	// The old settings: the query is in the key, the origin gets most of the viewer's headers.
	"legacy": {"ttl": "0/86400/31536000", "query": "all", "methods": "3"},
	// The old settings with a few headers and all cookies in the key.
	"keyed": {"ttl": "0/86400/31536000", "query": "all", "headers": "X-Keyed,Origin,Accept-Language", "cookies": "all"},
	// The Host is in the key and goes to the origin, for an application with many names.
	"hosted": {"ttl": "0/86400/31536000", "headers": "Host"},
	// Cached as the origin says, which gets all that the viewer sent: the way to let oneself be poisoned.
	"viewers": {"policy": "origin-qs", "orp": "all-viewer"},
	// A behavior that is not cached beside a default one that is.
	"split": {"policy": "optimized", "behavior": "/*/private/*:disabled"},
	// RFC 9111 to the letter.
	"strict": {"policy": "optimized", "tag:warmfront:semantics": "rfc"},
	// The same, of an origin that gets all that the viewer sent.
	"letter": {"policy": "origin-qs", "orp": "all-viewer", "methods": "7", "tag:warmfront:semantics": "rfc"},
	// A page of the distribution's own in place of errors.
	"paged": {"policy": "optimized", "error": "404:/error/page:200:60"},
	"https": {"policy": "optimized", "viewer": "redirect-to-https"},
}

func newField(t *testing.T, sets []string, args ...string) *field {
	t.Helper()
	f := &field{world: newWorld(t.TempDir()), manner: overTCP}
	t.Cleanup(f.close)
	for _, r := range []**recorder{&f.origin, &f.bank} {
		rec, err := newRecorder("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(rec.close)
		*r = rec
	}
	if err := f.start(append([]string{"--edges", "127.0.0.1:0", "--demo", "off"}, args...)); err != nil {
		t.Fatal(err)
	}
	f.edge = strings.TrimPrefix(f.proc.ready.Edges[0].URL, "http://")
	f.secure = strings.TrimPrefix(f.proc.ready.Edges[0].HTTPS, "https://")
	f.distribute(t, "victim", f.bank, map[string]string{"policy": "optimized", "alias": "victim.example"})
	for _, name := range sets {
		options := map[string]string{"alias": name + ".example"}
		for k, v := range policySets[name] {
			options[k] = v
		}
		f.distribute(t, name, f.origin, options)
	}
	return f
}

func (f *field) distribute(t *testing.T, name string, r *recorder, options map[string]string) {
	t.Helper()
	f.origins[name] = &origin{l: r.l}
	options["origin"] = name
	err := f.create(name, options)
	delete(f.origins, name) // the recorder is closed by itself
	if err != nil {
		t.Fatal(err)
	}
}

// probe is what other viewers see after a case: the distribution answers a new request with what the
// origin says to exactly that, and the victim's object is the victim's.
func (f *field) probe(host string) error {
	f.probes++
	target := fmt.Sprintf("/probe/%d", f.probes)
	if err := f.ask(host, target, "GET "+target+" HTTP/1.1\r\n"); err != nil {
		return fmt.Errorf("another viewer's request afterwards: %w", err)
	}
	if err := f.ask("victim.example", "/account", "GET /account HTTP/1.1\r\n"); err != nil {
		return fmt.Errorf("the victim's request afterwards: %w", err)
	}
	return nil
}

// ask is a viewer that behaves; the answer must be whole and contain want.
func (f *field) ask(host, target, want string) error {
	v, err := f.dial(host)
	if err != nil {
		return err
	}
	defer v.close()
	v.send("GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 1<<20)
	a, err := v.hear("GET")
	if err != nil {
		return err
	}
	if a.status != 200 || a.cut || !strings.HasPrefix(a.body, want) {
		return fmt.Errorf("%s of %s: %.300q", target, host, a.text)
	}
	if rest, err := v.rest(); rest != "" || err != nil {
		return fmt.Errorf("%s of %s: after the answer comes %.300q %v", target, host, rest, err)
	}
	return nil
}

// came returns the whole requests that have come to the origin since the last call, and an error for what
// no edge may write. Half of one, whose viewer has broken off, is nothing that an origin would act on; it
// may also arrive late.
func (f *field) came() (whole []*recorded, err error) {
	seen, err := f.origin.take()
	for _, q := range seen {
		if q.fault != nil {
			return nil, fmt.Errorf("the origin got %w in %.300q", q.fault, q.octets)
		}
		if q.whole {
			whole = append(whole, q)
		}
	}
	return whole, err
}

// robbed tells whether anything but the victim's own request has come to the victim's origin.
func (f *field) robbed() error {
	seen, err := f.bank.take()
	for _, q := range seen {
		if q.line != "GET /account HTTP/1.1" || q.fault != nil {
			err = fmt.Errorf("the victim's origin got %.300q", q.octets)
		}
	}
	return err
}

// sound tells whether the process has survived without noticing a mistake of its own.
func (f *field) sound(t *testing.T) {
	t.Helper()
	if log := f.proc.log.String(); strings.Contains(log, "BUG") || strings.Contains(log, "panic") {
		t.Errorf("the process logged a mistake:\n%.3000s", log)
	}
}
