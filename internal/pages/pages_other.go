//go:build !linux

package pages

import "errors"

func reserve(int) ([]byte, error) { return nil, errors.ErrUnsupported }

func release([]byte) {}

func drop([]byte) error { return errors.ErrUnsupported }
