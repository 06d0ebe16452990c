package control

import (
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Doubt is why invalidations are completed by time alone: this node's journal may be without something that edges follow.
type Doubt struct {
	Since   time.Time // of this process
	Until   time.Time // it does not end before, whoever is heard
	Unheard []string  // edges, by name, that have not been heard to follow this journal; when all have been, or were removed, it ends
}

// Doubt tells how this node's journal is doubted; nil: it is not.
func (c *Control) Doubt() *Doubt {
	c.tracking.mu.Lock()
	clock := c.cfg.Clock()
	d, ok := c.tracking.tracker.Doubt(clock)
	c.tracking.mu.Unlock()
	if !ok {
		return nil
	}
	now := c.now()
	return &Doubt{Since: now.Add(d.Since - clock), Until: now.Add(d.Until - clock), Unheard: d.Missing}
}

// opened begins the time in which a doubted log may come to be trusted.
func (c *Control) opened() {
	c.tracking.mu.Lock()
	c.tracking.tracker.Opened(c.cfg.Clock())
	doubtful, missing := c.tracking.doubtful, c.tracking.tracker.Missing()
	c.tracking.mu.Unlock()
	if doubtful {
		c.tellDoubtful(missing)
	}
}

// tellDoubt tells when the log begins to be doubted, and when that is over.
func (c *Control) tellDoubt() {
	c.tracking.mu.Lock()
	was, is := c.tracking.doubtful, c.tracking.tracker.Doubtful(c.cfg.Clock())
	c.tracking.doubtful = is
	var missing []string
	if is && !was { // not for each acknowledgement: it takes a look at every edge
		missing = c.tracking.tracker.Missing()
	}
	c.tracking.mu.Unlock()
	switch {
	case is && !was:
		c.tellDoubtful(missing)
		if l, ok := c.cfg.Log.(journal.Doubtful); ok {
			if err := l.Doubted(); err != nil {
				c.cfg.Logger.Error("that this journal is doubted cannot be kept: it must not be restarted before all edges follow it", "error", err)
			}
		}
	case was && !is:
		c.cfg.Logger.Info("all edges follow this journal: invalidations complete at once again")
		if l, ok := c.cfg.Log.(journal.Doubtful); ok {
			if err := l.Settled(); err != nil {
				c.cfg.Logger.Warn("the journal will be doubted at the next start again", "error", err)
			}
		}
	}
}

// toldMissing is how many edges are named in one line.
const toldMissing = 20

func (c *Control) tellDoubtful(missing []string) {
	c.cfg.Logger.Warn("this journal may be without something that edges follow: until each of them has been heard again, or removed, invalidations complete by time alone",
		"after", c.cfg.Timing.Wait(), "edges", len(missing), "among them", missing[:min(len(missing), toldMissing)])
}
