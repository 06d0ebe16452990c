package jetstream

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// dialled is a way to control nodes, of which some refuse, some do not answer, and the others are a moment away.
type dialled struct {
	says   map[string]string // "refuses", "silent"
	opened atomic.Int64      // connections that nobody has closed
}

type counted struct {
	net.Conn
	of *dialled
}

func (c counted) Close() error {
	c.of.opened.Add(-1)
	return nil
}

func (d *dialled) dial(ctx context.Context, _, address string) (net.Conn, error) {
	answers := time.After(100 * time.Millisecond)
	switch d.says[address] {
	case "refuses":
		return nil, errors.New("refused")
	case "silent":
		answers = nil
	}
	select {
	case <-answers:
		d.opened.Add(1)
		return counted{of: d}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// An edge behind a relay waits no longer than remoteConnect. By then it has a connection, if any control node can be reached, or has been told that there is none.
func TestRelay_FindsWhoeverIsThereInTime(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	for name, c := range map[string]struct {
		says   map[string]string
		within time.Duration
		found  bool
	}{
		"all are there":               {nil, 100 * time.Millisecond, true},
		"four are silent":             {map[string]string{"a": "silent", "b": "silent", "c": "silent", "d": "silent"}, 4*carryNext + 100*time.Millisecond, true},
		"four refuse":                 {map[string]string{"a": "refuses", "b": "refuses", "c": "refuses", "e": "refuses"}, 100 * time.Millisecond, true},
		"none is there":               {map[string]string{"a": "silent", "b": "silent", "c": "silent", "d": "silent", "e": "silent"}, carryWithin, false},
		"none is there, and all know": {map[string]string{"a": "refuses", "b": "refuses", "c": "refuses", "d": "refuses", "e": "refuses"}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 { // in any order
				synctest.Test(t, func(t *testing.T) {
					d, r, began := &dialled{says: c.says}, NewRelay(RelayConfig{}), time.Now()
					far := r.reach(t.Context(), all, d.dial)
					if took := time.Since(began); took > c.within || took >= remoteConnect || (far != nil) != c.found {
						t.Errorf("%v after %v", far, took)
					}
					if far != nil {
						far.Close()
					}
					if n := d.opened.Load(); n != 0 {
						t.Errorf("%d connections are left", n)
					}
				})
			}
		})
	}
}
