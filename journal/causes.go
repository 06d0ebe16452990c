package journal

import "sync"

// Causes has each cause of a failure said once. A machine that was removed is refused at each attempt, for ever, and so often would its log say so.
// The zero value has heard none; the methods may be called from everywhere.
type Causes struct {
	mu   sync.Mutex
	said map[string]bool // guarded by mu
}

// mostCauses bounds what is said of one failure that takes long: texts may differ each time, by the port that a connection came from.
const mostCauses = 8

// New reports whether the cause is to be said: it has not been since the failure began.
func (c *Causes) New(err error) bool {
	why := err.Error()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said[why] || len(c.said) == mostCauses {
		return false
	}
	if c.said == nil {
		c.said = make(map[string]bool)
	}
	c.said[why] = true
	return true
}

// Over says that what had failed succeeded.
func (c *Causes) Over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.said)
}
