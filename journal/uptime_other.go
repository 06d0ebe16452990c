//go:build !linux

package journal

import "time"

var started = time.Now()

// Uptime is the Clock to use outside tests. On this system it does not count suspended time: do not
// let an edge's machine sleep (C2).
func Uptime() time.Duration { return time.Since(started) }
