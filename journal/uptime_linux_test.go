package journal

import (
	"testing"
	"time"
)

// machine is one whose clocks a test moves.
type machine struct {
	wall, mono, boot time.Duration
	asked            int // for CLOCK_BOOTTIME
	pause            time.Duration
}

func (m *machine) pass(d time.Duration)    { m.wall, m.mono, m.boot = m.wall+d, m.mono+d, m.boot+d }
func (m *machine) suspend(d time.Duration) { m.wall, m.boot = m.wall+d, m.boot+d }

func (m *machine) clock() *bootClock {
	return &bootClock{
		now: func() (time.Duration, time.Duration) { return m.wall, m.mono },
		boot: func() time.Duration {
			m.asked++
			boot := m.boot
			m.pass(m.pause)
			return boot
		},
	}
}

func TestUptime_CountsSuspendedTime(t *testing.T) {
	m := &machine{wall: 1e18, mono: 5e9, boot: 77e9}
	c := m.clock()
	check := func(what string, asked int) {
		t.Helper()
		if got := c.read(); got < m.boot-jitter || got > m.boot+jitter || m.asked != asked {
			t.Errorf("%s: read %v and asked %d times, want %v and %d", what, got, m.asked, m.boot, asked)
		}
	}
	check("first", 1)
	m.pass(time.Hour)
	check("an hour later", 1)
	m.suspend(time.Hour)
	check("after a suspension", 2)
	m.pass(time.Second)
	check("a second later", 2)
	m.suspend(jitter / 2) // too short to be seen, and to matter
	check("after a moment's", 2)
	m.suspend(jitter / 2)
	check("after another moment's", 3)
	m.wall -= time.Hour
	check("after the wall clock was set back", 4)
	m.wall += time.Hour
	check("and forth", 5)
	m.pass(time.Second)
	check("a second later", 5)
}

// A reading that took long says when it was, but not how the clocks compare.
func TestUptime_KeepsNoSlowReading(t *testing.T) {
	m := &machine{wall: 1e18, mono: 5e9, boot: 77e9, pause: time.Second}
	c := m.clock()
	if got := c.read(); got != m.boot-time.Second || c.last.Load() != nil {
		t.Errorf("read %v, want %v, and kept %v", got, m.boot-time.Second, c.last.Load())
	}
	m.pause = 0
	if got := c.read(); got != m.boot || c.last.Load() == nil {
		t.Errorf("read %v, want %v, and kept %v", got, m.boot, c.last.Load())
	}
}

func TestUptime_IsTheKernels(t *testing.T) {
	for range 1000 {
		before := bootTime()
		got := Uptime()
		after := bootTime()
		if got < before-time.Millisecond || got > after+time.Millisecond {
			t.Fatalf("read %v between %v and %v", got, before, after)
		}
	}
}
