package node

import (
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal"
)

func relayConfig(tb testing.TB, token string) Config {
	c := testConfig(tb)
	c.Edges, c.Control, c.Demo, c.Token, c.Relay = nil, off, off, token, "127.0.0.1:0"
	return c
}

// until waits for what others do: an edge that has gone to a control node meanwhile comes back to its relay after half a minute.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within two minutes", what)
		}
	}
}

// An edge that goes to a relay joins, leaves and is asked as any other; when the relay is removed, it goes on.
func TestRelay_EdgeBehindOne(t *testing.T) {
	d, stop := startRole(t, Control, controlConfig(t))
	rc := relayConfig(t, tokenFor(t, d, admission.Relay("fra1")))
	r, stopRelay := startRole(t, Relay, rc)
	ec := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	ec.Relays = []string{r.ready.Relay}
	e, stopEdge := startRole(t, Edge, ec)
	until(t, "the relay has its edge", func() bool {
		all := d.fleet.relays()
		return len(all) == 1 && all[0].Name == "fra1" && all[0].Ready && all[0].Edges == 1 && all[0].Connections == 1
	})
	until(t, "the edge is asked, and the relay is none", func() bool {
		all := d.fleet.connected()
		return len(all) == 1 && all[0].Name == "FRA50-1"
	})
	if err := d.control.JoinAdmitted(t.Context(), journal.EdgeJoined{Edge: admission.Relay("fra1"), Incarnation: "i"}, ""); err == nil || !strings.Contains(err.Error(), "is a relay") {
		t.Errorf("a relay that joins: %v", err)
	}
	if err := d.control.RemoveEdge(t.Context(), journal.Actor{User: "test"}, admission.Relay("fra1")); err != nil {
		t.Fatal(err)
	}
	d.fleet.log.Disconnect(admission.Relay("fra1"))
	// The tunnel stays until the edge leaves it; what is pushed does not come that way any more.
	seq, err := d.control.Tick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the edge follows by itself", func() bool { return e.places[0].edge.Stats().Seq >= seq })
	if err := stopEdge(); err != nil {
		t.Fatal(err)
	}
	until(t, "the edge has left", func() bool { return len(d.control.Nodes()) == 0 })
	if err := stopRelay(); err != nil {
		t.Fatal(err)
	}
	// Who was removed is not let in, and says so by the name of the command that helps.
	rc.Token = tokenFor(t, d, "FRA50-2")
	if err := Relay(t.Context(), rc); err == nil || !strings.Contains(err.Error(), "warmfront relay token") {
		t.Errorf("with an edge's token: %v", err)
	}
	rc.Edges, rc.Relay, rc.Token = []string{"127.0.0.1:0"}, "", ""
	if err := Edge(t.Context(), rc); err == nil || !strings.Contains(err.Error(), "is not an edge") {
		t.Errorf("a relay's directory as an edge: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckRelay(t *testing.T) {
	d, stop := startRole(t, Control, controlConfig(t))
	edge, relay := tokenFor(t, d, "FRA50-1"), tokenFor(t, d, admission.Relay("fra1"))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		check func(Config) Findings
		c     Config
		fault string // "": none
	}{
		{CheckRelay, relayConfig(t, relay), ""},
		{CheckRelay, relayConfig(t, edge), "is not for a relay"},
		{CheckRelay, relayConfig(t, ""), "warmfront relay token"},
		{CheckEdge, edgeConfig(t, edge), ""},
		{CheckEdge, edgeConfig(t, relay), "is not for an edge"},
	} {
		got := strings.Join(c.check(c.c).Faults, "\n")
		if (got == "") != (c.fault == "") || !strings.Contains(got, c.fault) {
			t.Errorf("want %q: %s", c.fault, got)
		}
	}
}
