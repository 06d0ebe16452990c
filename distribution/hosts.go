package distribution

import (
	"slices"
	"strings"
)

// Hosts finds the distribution of a Host: by its own domain name, then by an alias that equals it,
// then by the most specific wildcard alias ("*.example.com" covers every name that ends in
// ".example.com", at any depth). It is immutable; make a new one when a distribution changes.
//
// Disabled distributions stay in: a disabled distribution's alias is refused even when the wildcard
// of another covers it, so Lookup returns it and the caller looks at Enabled.
type Hosts struct {
	exact     map[string]*Distribution
	wildcards map[string]*Distribution // by what follows the "*": ".example.com"
}

// NewHosts makes the table. Should two distributions claim one alias, which control prevents, the
// one with the smaller id has it, on every edge alike.
func NewHosts(all []*Distribution) *Hosts {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *Distribution) int { return strings.Compare(a.ID, b.ID) })
	h := &Hosts{exact: map[string]*Distribution{}, wildcards: map[string]*Distribution{}}
	for _, d := range all {
		claim(h.exact, d.DomainName, d)
	}
	for _, d := range all {
		for _, a := range d.Aliases {
			if suffix, ok := strings.CutPrefix(a, "*"); ok {
				claim(h.wildcards, suffix, d)
			} else {
				claim(h.exact, a, d)
			}
		}
	}
	return h
}

func claim(m map[string]*Distribution, name string, d *Distribution) {
	name = strings.ToLower(name)
	if _, taken := m[name]; !taken {
		m[name] = d
	}
}

// Lookup returns the distribution of a host name without port, in any case, or nil.
func (h *Hosts) Lookup(host string) *Distribution {
	host = strings.ToLower(strings.TrimSuffix(host, ".")) // no allocation when it is lower case
	if d := h.exact[host]; d != nil {
		return d
	}
	for i := strings.IndexByte(host, '.'); i >= 0 && len(h.wildcards) > 0; {
		if d := h.wildcards[host[i:]]; d != nil && i > 0 {
			return d
		}
		next := strings.IndexByte(host[i+1:], '.')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return nil
}
