package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ControlState is how a control node is.
type ControlState struct {
	Applied uint64        // the newest journal entry that it has read
	Doubted time.Duration // for how long it has doubted its journal; 0: it does not
	Unheard int           // edges that it waits for until it does not any more
}

// AddControl makes the metrics of a control node; state is asked at each scrape. It is called once.
func (m *Metrics) AddControl(state func() ControlState) {
	gauge := func(name, help string, of func(ControlState) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "warmfront", Subsystem: "control", Name: name, Help: help},
			func() float64 { return of(state()) }))
	}
	gauge("applied_sequence", "Sequence of the last journal entry that this control node has read.", func(s ControlState) float64 { return float64(s.Applied) })
	gauge("doubt_seconds", "For how long this control node has doubted its journal, and completed nothing by acknowledgements; 0: it does not.",
		func(s ControlState) float64 { return s.Doubted.Seconds() })
	gauge("unheard_edges", "Edges that a doubted journal waits for.", func(s ControlState) float64 { return float64(s.Unheard) })
}
