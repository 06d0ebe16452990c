package h2

// MaxWindow is the largest window there can be (RFC 9113 section 6.9.1).
const MaxWindow = 1<<31 - 1

// DefaultWindow is what a window is before anybody says anything.
const DefaultWindow = 65535

// Window is what may still be sent. It may be below zero, when the viewer has made windows smaller.
type Window int64

// Grow adds n, which may be negative. It reports false when the window would become larger than any may be.
func (w *Window) Grow(n int64) bool {
	if int64(*w)+n > MaxWindow {
		return false
	}
	*w += Window(n)
	return true
}

// Take takes up to n octets out of the window and returns how many.
func (w *Window) Take(n int) int {
	if *w <= 0 {
		return 0
	}
	n = int(min(int64(n), int64(*w)))
	*w -= Window(n)
	return n
}

// Credit is what the viewer may still send. The zero value allows nothing; set Size and Left.
type Credit struct {
	Size int // of the whole window
	Left int // of it
	owed int // octets that are used up here and not said to the viewer yet
}

// NewCredit returns a window of n octets.
func NewCredit(n int) Credit { return Credit{Size: n, Left: n} }

// Take notes that n octets have come. It reports false when the viewer had no right to send them.
func (c *Credit) Take(n int) bool {
	c.Left -= n
	return c.Left >= 0
}

// Give gives n octets back and returns what is to be said to the viewer now: nothing before it is a
// quarter of the window, so that not every octet costs a frame.
func (c *Credit) Give(n int) (say int) {
	c.owed += n
	if c.owed < c.Size/4 {
		return 0
	}
	say, c.owed = c.owed, 0
	c.Left += say
	return say
}

// Budget is what a viewer may do for nothing. It is spent by what costs us and brings the viewer no
// answer, and comes back by honest work and with time.
type Budget struct {
	Max       int // what there is at most, and at first
	PerSecond int // what comes back

	spent int
	at    int64 // ns, up to which time has been counted
}

// Spend takes n at time now, in ns. It reports false when there is not that much left.
func (b *Budget) Spend(n int, now int64) bool {
	if back := (now - b.at) / int64(1e9/b.PerSecond); back > 0 {
		b.at = now
		b.spent -= int(min(back, int64(b.spent)))
	}
	b.spent += n
	return b.spent <= b.Max
}

// Earn gives n back.
func (b *Budget) Earn(n int) { b.spent = max(0, b.spent-n) }
