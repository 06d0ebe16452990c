package control

// Page is one page of a list. Marker is the one that was asked for; NextMarker is the last item's
// id when Truncated, else "".
type Page[T any] struct {
	Items      []T
	Marker     string
	NextMarker string
	MaxItems   int
	Truncated  bool
}

const maxPage = 100 // items, the default too

// page cuts a page from what comes after the marker.
func page[T any](after []T, marker string, max int, id func(T) string) Page[T] {
	if max <= 0 || max > maxPage {
		max = maxPage
	}
	p := Page[T]{Items: after, Marker: marker, MaxItems: max}
	if len(after) > max {
		p.Items, p.Truncated = after[:max], true
		p.NextMarker = id(after[max-1])
	}
	return p
}
