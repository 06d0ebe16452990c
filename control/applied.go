package control

import "time"

// away is after how long without a sign of life an edge is not waited for by a compaction. One with contact is heard each second.
const away = 5 * time.Minute

// Applied returns up to which entry every edge that has been heard lately has applied the journal; 0: there is none.
func (c *Control) Applied() (seq uint64) {
	c.tracking.mu.Lock()
	defer c.tracking.mu.Unlock()
	for _, r := range c.tracking.tracker.Rows(0, c.cfg.Clock()) {
		if r.Silent < away && (seq == 0 || r.Acked < seq) {
			seq = r.Acked
		}
	}
	return seq
}
