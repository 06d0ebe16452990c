package distribution

// Isolation is what an edge does with a distribution's requests while it has no lease on the journal (L5): it cannot know
// what has been invalidated meanwhile. The tag warmfront:isolation says which.
type Isolation uint8

const (
	Revalidate Isolation = iota // what is stored is revalidated, once per object and lease time
	Bypass                      // each request is the origin's
	Fail                        // each request is refused, so that whatever stands in front goes elsewhere

	// ServeStale puts availability first: what is stored is shown as if it were known to be alive. Completed does not
	// speak for an edge that does so.
	ServeStale
)

// IsolationOf reads the tags of a distribution. A policy that it does not know, which a newer control plane has accepted, is
// Bypass: to drop too much is a cost, to show too much is a lie.
func IsolationOf(tags map[string]string) Isolation {
	switch v, ok := tags[TagIsolation]; {
	case !ok, v == IsolationRevalidate:
		return Revalidate
	case v == IsolationFail:
		return Fail
	case v == IsolationServeStale:
		return ServeStale
	}
	return Bypass
}
