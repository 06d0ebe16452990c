package edge

import (
	"sync/atomic"
	"time"
)

// shyFor is how long it is remembered that answers under a key are for one viewer each.
const shyFor = 60 // seconds

// shy remembers the keys whose answers could not be shared: to let requests for them wait for each
// other would only make every second one take twice as long, and to fetch the whole for a range of
// it would be for nothing. It is a hint, and it may forget: one slot for many keys, the last one stays.
type shy struct {
	slots [4096]atomic.Uint64 // the key's hash without its low 24 bits, and there the second at which to forget
}

const shyMask = 1<<24 - 1

// manner is by what a flight's key is remembered. What is answered to one who shows an Authorization says nothing about others, nor
// does the answer to a range: nobody must be able to have others ask for themselves.
func (f *flight) manner() uint64 {
	if f.behavior.ShowsAuthorization() && f.request.Fields.Has("Authorization") {
		return ^f.hash
	}
	return f.hash
}

func (s *shy) slot(hash uint64) *atomic.Uint64 { return &s.slots[hash>>32%uint64(len(s.slots))] }

// has tells whether the key is remembered. now is the journal's clock.
func (s *shy) has(hash uint64, now time.Duration) bool {
	v := s.slot(hash).Load()
	left := (v - uint64(now/time.Second)) & shyMask
	return v != 0 && (v^hash)&^uint64(shyMask) == 0 && left > 0 && left <= shyFor
}

// note remembers the key, or forgets it.
func (s *shy) note(hash uint64, now time.Duration, isShy bool) {
	switch {
	case isShy:
		s.slot(hash).Store(hash&^uint64(shyMask) | (uint64(now/time.Second)+shyFor)&shyMask)
	case s.has(hash, now):
		s.slot(hash).Store(0)
	}
}
