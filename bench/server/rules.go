package server

import "context"

// rules is how a server is told that something in its cache is not to be served any more.
type rules interface {
	// one adds the i-th of a kind that matches nothing in the cache, and returns when it is accepted.
	one(ctx context.Context, i int) error
	// many adds n, those from first on: a quarter exact, prefixes, suffixes, wildcards. They match nothing either. They
	// are in force when it returns.
	many(ctx context.Context, first, n int) error
	// below drops all that begins with the prefix. It is in force when it returns.
	below(ctx context.Context, prefix string) error
	// active is how many have to be kept for the sake of some object.
	active(ctx context.Context) (int, error)
}

// Kinds of rules of many, by i modulo.
const (
	prefixRule = iota
	exactRule
	suffixRule
	wildcardRule
	kindsOfRules
)

// Invalidate gives the server one more invalidation, the i-th, of paths that are not in its cache.
func (s *Server) Invalidate(ctx context.Context, i int) error {
	if s.rules == nil {
		return ErrNotServed
	}
	return s.rules.one(ctx, i)
}

// AddRules gives the server n rules that match nothing, the first of them numbered so; no number comes twice. They are
// in force when it returns.
func (s *Server) AddRules(ctx context.Context, first, n int) error {
	if s.rules == nil {
		return ErrNotServed
	}
	return s.rules.many(ctx, first, n)
}

// ActiveRules is how many the server keeps.
func (s *Server) ActiveRules(ctx context.Context) (int, error) {
	if s.rules == nil {
		return 0, ErrNotServed
	}
	return s.rules.active(ctx)
}

// Drop makes the server forget all that begins with the prefix, and returns when that is in force.
func (s *Server) Drop(ctx context.Context, prefix string) error {
	if s.rules == nil {
		return ErrNotServed
	}
	return s.rules.below(ctx, prefix)
}

// Objects is how many objects the server says that it has; ok is false where it does not say.
func (s *Server) Objects(ctx context.Context) (n int, ok bool) {
	b, ok := s.rules.(*bans)
	if !ok {
		return 0, false
	}
	n, err := b.stat(ctx, "MAIN.n_object")
	return n, err == nil
}
