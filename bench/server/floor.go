package server

import (
	"context"
	"os"
)

// StartFloor runs the bench's own program as package floor: what the kernel alone costs.
func StartFloor(ctx context.Context, env Env) (*Server, error) {
	at, err := free(1)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, err := begin(env, "the kernel", nil)
	if err != nil {
		return nil, err
	}
	s.Plain, s.Files = at[0], true
	return s.run(ctx, env, []string{self, "-floor", at[0].String()})
}
