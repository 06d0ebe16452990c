//go:build planted

package mistake

import (
	"fmt"
	"slices"
)

var (
	known  []Name
	chosen Name
)

// Know lists mistakes that a package can make. From its init.
func Know(names ...Name) { known = append(known, names...) }

// Plant has this process make a mistake from now on, or none: "". Nothing that could make it may run meanwhile.
func Plant(name Name) {
	if name != "" && !slices.Contains(known, name) {
		panic(fmt.Sprintf("no mistake %s: use one of %q", name, known))
	}
	chosen = name
}

// Made tells whether this process makes the mistake: the one that was planted last.
func Made(m Name) bool { return m == chosen }
