//go:build !planted

package edge

// planted tells whether this build makes the mistake. It never does: the compiler drops what stands
// behind it. The build that does is for tests of the guarantee checker only; see planted.go.
func planted(mistake) bool { return false }
