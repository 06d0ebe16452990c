//go:build !planted

package node

import "github.com/warmfront/warmfront/cache/disk"

// suffering is for builds with the tag; see suffering_planted.go.
func suffering(f disk.File) disk.File { return f }
