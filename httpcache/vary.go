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
