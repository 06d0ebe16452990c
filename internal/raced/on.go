//go:build race

// Package raced tells whether the race detector is on, to the tests of all packages.
package raced

// Enabled is whether this is built with -race.
const Enabled = true
