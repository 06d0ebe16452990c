package ownapi

// Counts is what a Meter has counted of a distribution since it first saw it.
type Counts struct {
	Outcomes  map[int]uint64 // by edge.Outcome
	Bytes     uint64
	Latencies map[int]uint64 // of fetches, by bucket
}

// Counts returns all that the meter has counted, by distribution. Of a distribution that was silent for long it begins
// again.
func (m *Meter) Counts() map[string]Counts {
	all := map[string]Counts{}
	for id, s := range *m.series.Load() {
		t := s.read()
		c := Counts{Outcomes: map[int]uint64{}, Bytes: t.bytes, Latencies: map[int]uint64{}}
		for i, n := range t.outcomes {
			if n > 0 {
				c.Outcomes[i] = n
			}
		}
		for i := range s.latency {
			if n := s.latency[i].Load(); n > 0 {
				c.Latencies[i] = n
			}
		}
		all[id] = c
	}
	return all
}

// Since returns what has been counted since earlier counts of the same meter. If that has begun again since, all that it
// says is new.
func (c Counts) Since(earlier Counts) Counts {
	for i, n := range earlier.Outcomes {
		if c.Outcomes[i] < n {
			return c
		}
	}
	d := Counts{Outcomes: map[int]uint64{}, Bytes: c.Bytes - min(c.Bytes, earlier.Bytes), Latencies: map[int]uint64{}}
	for i, n := range c.Outcomes {
		d.Outcomes[i] = n - earlier.Outcomes[i]
	}
	for i, n := range c.Latencies {
		d.Latencies[i] = n - min(n, earlier.Latencies[i])
	}
	return d
}

// Add counts what another meter has counted. Unknown outcomes and buckets, of another version, are left out.
func (m *Meter) Add(id string, c Counts) {
	s := (*m.series.Load())[id]
	if s == nil {
		if s = m.grow(id); s == nil {
			return
		}
	}
	st := &s.stripes[0]
	for i, n := range c.Outcomes {
		if i >= 0 && i < len(st.outcomes) {
			st.outcomes[i].Add(n)
		}
	}
	st.bytes.Add(c.Bytes)
	for i, n := range c.Latencies {
		if i >= 0 && i < len(s.latency) {
			s.latency[i].Add(n)
		}
	}
}
