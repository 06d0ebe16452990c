package node

import (
	"errors"
	"testing"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// A machine that has been replaced is let in no more, and what it had open is closed: it hears nothing, and asks for nothing
// in the name that is another's now.
func TestControl_ClosesWhatTheReplacedHadOpen(t *testing.T) {
	d, stop := startRole(t, Control, controlConfig(t))
	defer stop()
	first := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	who, err := first.identity(t.Context(), anEdge)
	if err != nil {
		t.Fatal(err)
	}
	log, err := jetstream.Dial(jetstream.RemoteConfig{Addresses: who.Addresses, TLS: who.TLS(), Edge: who.Edge, Version: first.Version})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	until(t, "a connection", func() bool { return log.Connected() == nil })
	if err := log.Join(t.Context(), journal.EdgeJoined{Edge: "FRA50-1", Location: "IAD89", Incarnation: "i"}); err == nil {
		t.Error("it joined elsewhere than where it was admitted to")
	}
	second := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	if _, err := second.identity(t.Context(), anEdge); err != nil {
		t.Fatal(err)
	}
	until(t, "it is let in no more", func() bool { return errors.Is(log.Connected(), jetstream.ErrRefused) })
}
