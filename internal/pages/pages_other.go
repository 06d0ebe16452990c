//go:build !linux

package pages

import "errors"

// Reserve fails where there is no such thing.
func Reserve(int) ([]byte, error) { return nil, errors.ErrUnsupported }

// Release does nothing.
func Release([]byte) {}

// Drop fails.
func Drop([]byte) error { return errors.ErrUnsupported }

func populate([]byte) {}
