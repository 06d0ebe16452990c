package invalidation

import "github.com/warmfront/warmfront/internal/mistake"

// Mistakes that a build with the tag "planted" makes on purpose.
const (
	spellingUnread mistake.Name = "spelling-unread" // an escape in an item means its character in that spelling only
)

func init() { mistake.Know(spellingUnread) }
