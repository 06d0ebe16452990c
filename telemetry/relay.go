package telemetry

import "github.com/prometheus/client_golang/prometheus"

// RelayState is how a relay is.
type RelayState struct {
	Edges       int    // to which it passes on what is pushed
	Connections int    // of edges to control nodes that it carries
	Passed      uint64 // the newest entry that it has passed on
	Connected   bool   // to a control node
}

// AddRelay makes the metrics of a relay; state is asked at each scrape. It is called once.
func (m *Metrics) AddRelay(state func() RelayState) {
	gauge := func(name, help string, of func(RelayState) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "warmfront", Subsystem: "relay", Name: name, Help: help},
			func() float64 { return of(state()) }))
	}
	gauge("edges", "Edges to which this relay passes on what is pushed.", func(s RelayState) float64 { return float64(s.Edges) })
	gauge("connections", "Connections of edges to control nodes that this relay carries.", func(s RelayState) float64 { return float64(s.Connections) })
	gauge("passed_entry", "The newest journal entry that this relay has passed on.", func(s RelayState) float64 { return float64(s.Passed) })
	gauge("connected", "1 while this relay has a connection to a control node.", func(s RelayState) float64 {
		if s.Connected {
			return 1
		}
		return 0
	})
}
