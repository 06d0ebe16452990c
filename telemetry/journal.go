package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// JournalState is how much a control node's journal holds.
type JournalState struct {
	Entries, Base, Bytes uint64
	Compacted            time.Time // zero: not known
	Uncompacted          bool      // this node cannot compact it
}

// AddJournal makes the metrics of a control node's journal; state is asked at each scrape. It is called once.
func (m *Metrics) AddJournal(state func() JournalState) {
	gauge := func(name, help string, of func(JournalState) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "warmfront", Subsystem: "journal", Name: name, Help: help},
			func() float64 { return of(state()) }))
	}
	gauge("entries", "Entries that the journal of this control node holds.", func(s JournalState) float64 { return float64(s.Entries) })
	gauge("base_sequence", "Entry up to which the journal has been compacted; 0: it has not been.", func(s JournalState) float64 { return float64(s.Base) })
	gauge("stored_bytes", "What the journal's entries since then take.", func(s JournalState) float64 { return float64(s.Bytes) })
	gauge("compacted_timestamp_seconds", "When the journal was last compacted while it ran; 0: not known.", func(s JournalState) float64 {
		if s.Compacted.IsZero() {
			return 0
		}
		return float64(s.Compacted.UnixMilli()) / 1000
	})
	gauge("uncompacted", "1 while this control node cannot compact the journal while it runs, which grows: warmfront status says why.", func(s JournalState) float64 {
		if s.Uncompacted {
			return 1
		}
		return 0
	})
}
