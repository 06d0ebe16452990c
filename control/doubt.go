package control

import "github.com/warmfront/warmfront/journal"

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
