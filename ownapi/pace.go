package ownapi

import (
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// pace is journal.Pace in this API's words.
type pace struct {
	RequestsPerSecond float64 `json:"requestsPerSecond"` // to origins, of each edge; 0: not bounded
	Refetch           bool    `json:"refetch"`           // what is wanted most is brought back before viewers ask, within that

	ByLocation *byLocation `json:"byLocation"` // null: at all locations at once
}

type byLocation struct {
	First        []string `json:"first"` // whose turn comes first; the others by name
	PauseSeconds float64  `json:"pauseSeconds"`
}

// wave is control.Wave in this API's words.
type wave struct {
	Locations []string `json:"locations"`
	Others    []string `json:"others"` // without locations: it is the turn of all but these
	Began     instant  `json:"began"`
	Completed instant  `json:"completed"` // null: edges are at it
}

// fact is what the journal has of it; nil: it asks for nothing.
func (p *pace) fact() *journal.Pace {
	if p == nil || p.RequestsPerSecond == 0 && !p.Refetch && p.ByLocation == nil {
		return nil
	}
	out := &journal.Pace{RequestsPerSecond: p.RequestsPerSecond, Refetch: p.Refetch}
	if b := p.ByLocation; b != nil {
		pause := time.Duration(max(min(b.PauseSeconds, 1e9), -1) * float64(time.Second)) // control knows the bounds
		out.ByLocation = &journal.ByLocation{First: b.First, Pause: pause}
	}
	return out
}

func paceOf(p *journal.Pace) *pace {
	if p == nil {
		return nil
	}
	out := &pace{RequestsPerSecond: p.RequestsPerSecond, Refetch: p.Refetch}
	if b := p.ByLocation; b != nil {
		out.ByLocation = &byLocation{list(b.First), b.Pause.Seconds()}
	}
	return out
}

func wavesOf(waves []control.Wave) []wave {
	out := []wave{}
	for _, w := range waves {
		out = append(out, wave{list(w.Locations), list(w.Others), instant(w.Began), instant(w.Completed)})
	}
	return out
}
