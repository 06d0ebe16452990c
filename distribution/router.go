package distribution

// Behavior returns the behavior of a rooted path: the first whose pattern matches the path's normal
// form, else the default one. It allocates only for paths with escapes, dot segments or "//".
func (d *Distribution) Behavior(path string) *Behavior {
	path = normalPath(path)
	last := len(d.Behaviors) - 1
	for _, b := range d.Behaviors[:last] {
		if b.pattern.matches(path) {
			return b
		}
	}
	return d.Behaviors[last]
}
