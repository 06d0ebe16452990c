package telemetry

import "sync"

const other = "other"

// results are the values of the result label: the first words of X-Cache.
var results = func() map[string]string {
	m := map[string]string{}
	for _, r := range []string{
		"Hit", "RefreshHit", "Miss", "Error", "Redirect", "LimitExceeded", "CapacityExceeded",
		"FunctionGeneratedResponse", "FunctionExecutionError", "FunctionThrottledError",
		"LambdaGeneratedResponse", "LambdaExecutionError", "LambdaValidationError", "LambdaLimitExceeded",
	} {
		m[r] = r
	}
	return m
}()

func class(hundreds int) string {
	if hundreds < 1 || hundreds > 5 {
		return other
	}
	return string(rune('0'+hundreds)) + "xx"
}

// bound admits the first max values of a label; later ones are "other".
type bound struct {
	max  int
	mu   sync.Mutex
	seen map[string]struct{} // guarded by mu
}

func (b *bound) label(v string) (label string, admitted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.seen[v]; ok {
		return v, true
	}
	if len(b.seen) >= b.max {
		return other, false
	}
	if b.seen == nil {
		b.seen = map[string]struct{}{}
	}
	b.seen[v] = struct{}{}
	return v, true
}
