// Package units writes numbers of octets for people.
package units

import (
	"fmt"
	"strconv"
)

// Size writes a number of octets in the units that --cache-size takes.
func Size(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n)/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if f < 1023.95 {
			break
		}
		f, unit = f/(1<<10), next
	}
	if f < 9.95 {
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}
