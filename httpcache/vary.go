package httpcache

import (
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// varyStar tells whether the answer depends on more than its request.
func varyStar(f message.Fields) bool {
	star := false
	eachVary(f, func(name string) { star = star || name == "*" })
	return star
}

// CompleteVary returns the value of the Vary field that viewers get: the names for which keep is
// true, in order and each once, and "*". It is "" when none is left; then the field goes away.
// CloudFront strips what is not in the cache key, for such a variant cannot come from its cache.
func CompleteVary(f message.Fields, keep func(name string) bool) string {
	var names []string
	eachVary(f, func(name string) {
		if name != "*" && !keep(name) {
			return
		}
		for _, have := range names {
			if strings.EqualFold(have, name) {
				return
			}
		}
		names = append(names, name)
	})
	return strings.Join(names, ", ")
}

// eachVary calls visit for every name in all Vary lines.
func eachVary(f message.Fields, visit func(name string)) {
	for i := range f {
		if !strings.EqualFold(f[i].Name, "Vary") {
			continue
		}
		for name := range strings.SplitSeq(f[i].Value, ",") {
			if name = trim(name); name != "" {
				visit(name)
			}
		}
	}
}
