package disk

import "github.com/warmfront/warmfront/internal/mistake"

// Mistakes that a build with the tag "planted" makes on purpose.
const (
	markUnkept mistake.Name = "mark-unkept"  // E1: a store that is opened begins with the mark of nowhere
	sweepOfAny mistake.Name = "sweep-of-any" // E1: a sweep visits whatever life there is, and speaks for it
)

func init() { mistake.Know(markUnkept, sweepOfAny) }
