package guarantee

import (
	"errors"
	"fmt"
	"testing"
)

func TestFinal_WhatPassesIsTriedAgain(t *testing.T) {
	for _, k := range []struct {
		err   error
		final bool
	}{
		{&refusal{400, "GET /x: 400: <Code>InvalidArgument</Code>"}, true},
		{fmt.Errorf("create: %w", &refusal{404, "no"}), true},
		{&refusal{400, "GET /x: 400: <ErrorResponse><Error><Code>Throttling</Code>"}, false},
		{&refusal{429, "slower"}, false},
		{&refusal{503, "starting"}, false},
		{errors.New("connection refused"), false},
	} {
		if got := (&warmfront{apis: []string{"a"}}).final(k.err); got != k.final {
			t.Errorf("%v: %t", k.err, got)
		}
	}
}
