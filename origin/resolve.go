package origin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseResolve reads entries of the form name=target, as a flag takes them:
//
//	my-bucket.s3.amazonaws.com=127.0.0.1:8090
//	*.example.com=http://127.0.0.1:9000
//
// A name may be "*.suffix" for every name below it, or "*" for every name; the most specific wins. A
// target with a scheme also decides whether TLS is spoken, whatever the origin's protocol policy.
func ParseResolve(entries []string) (map[string]string, error) {
	m := make(map[string]string, len(entries))
	for _, e := range entries {
		if err := addResolve(m, e); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// ReadResolve reads the same entries from a file, one a line; "#" begins a comment.
func ReadResolve(r io.Reader, file string) (map[string]string, error) {
	m := map[string]string{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := addResolve(m, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

func addResolve(m map[string]string, entry string) error {
	name, to, ok := strings.Cut(entry, "=")
	if !ok {
		return fmt.Errorf("resolve %q: want name=host:port", entry)
	}
	name, to = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(to)
	if err := checkName(name); err != nil {
		return err
	}
	if _, err := parseTarget(to); err != nil {
		return fmt.Errorf("resolve %s: %w", name, err)
	}
	if before, twice := m[name]; twice && before != to {
		return fmt.Errorf("resolve %s: given twice, as %s and as %s", name, before, to)
	}
	m[name] = to
	return nil
}

func checkName(name string) error {
	rest := strings.TrimPrefix(strings.TrimPrefix(name, "*"), ".")
	switch {
	case name == "*":
		return nil
	case name == "" || rest == "":
		return fmt.Errorf("resolve %q: no origin name", name)
	case strings.Contains(rest, "*"), strings.HasPrefix(name, "*") && !strings.HasPrefix(name, "*."):
		return fmt.Errorf("resolve %q: a * may only be the whole first label", name)
	case strings.ContainsAny(name, "/: \t"):
		return fmt.Errorf("resolve %q: an origin name has no scheme, port or blank", name)
	}
	return nil
}

// target is where a name was sent. scheme is "" when the origin's protocol policy decides.
type target struct{ scheme, addr string }

func parseTarget(s string) (target, error) {
	if !strings.Contains(s, "://") {
		host, port, err := net.SplitHostPort(s)
		if err != nil || host == "" {
			return target{}, fmt.Errorf("target %q is not host:port", s)
		}
		return target{addr: s}, checkPort(s, port)
	}
	u, err := url.Parse(s)
	if err != nil {
		return target{}, fmt.Errorf("target %q: %w", s, err)
	}
	port := u.Port()
	switch {
	case u.Scheme == "http":
		if port == "" {
			port = "80"
		}
	case u.Scheme == "https":
		if port == "" {
			port = "443"
		}
	default:
		return target{}, fmt.Errorf("target %q: the scheme must be http or https", s)
	}
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		return target{}, fmt.Errorf("target %q: want only scheme, host and port", s)
	}
	return target{u.Scheme, net.JoinHostPort(u.Hostname(), port)}, checkPort(s, port)
}

func checkPort(s, port string) error {
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("target %q: bad port %q", s, port)
	}
	return nil
}

// resolver is a checked resolve map. It is immutable.
type resolver struct{ targets map[string]target }

func newResolver(m map[string]string) (*resolver, error) {
	r := &resolver{targets: make(map[string]target, len(m))}
	for name, to := range m {
		if err := checkName(strings.ToLower(name)); err != nil {
			return nil, fmt.Errorf("origin: %w", err)
		}
		t, err := parseTarget(to)
		if err != nil {
			return nil, fmt.Errorf("origin: resolve %s: %w", name, err)
		}
		r.targets[strings.ToLower(name)] = t
	}
	return r, nil
}

// lookup finds the exact name, else the longest suffix, else "*".
func (r *resolver) lookup(name string) (target, bool) {
	if len(r.targets) == 0 {
		return target{}, false
	}
	name = strings.ToLower(name)
	if t, ok := r.targets[name]; ok {
		return t, true
	}
	for rest := name; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			t, ok := r.targets["*"]
			return t, ok
		}
		if t, ok := r.targets["*."+after]; ok {
			return t, true
		}
		rest = after
	}
}
