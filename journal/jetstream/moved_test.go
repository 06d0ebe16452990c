package jetstream

import (
	"context"
	"slices"
	"testing"
)

// Another control node has come after the edge had connected, and then the edge's own ends: it goes where it was told to. What it is not told
// of any more it still knows.
func TestRemote_GoesWhereItWasTold(t *testing.T) {
	p := newPKI(t)
	told := make(chan []string, 1)
	renew := Desk{
		Renew:     func(context.Context, Renewal) (*Renewed, error) { return &Renewed{}, nil },
		Addresses: func() []string { return <-told },
	}
	first, second := open(t, Config{Dir: t.TempDir(), Network: p.network(t)}), open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	one, other := first.Addr(), second.Addr()
	desk(t, first, renew)
	desk(t, second, renew)
	var kept [][]string
	r, err := Dial(RemoteConfig{
		Addresses: []string{one}, TLS: p.edge(t, "FRA50-1"), Edge: "FRA50-1",
		Moved: func(a []string) { kept = append(kept, a) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	connected(t, r)
	hear := func(a ...string) {
		t.Helper()
		told <- a
		if _, err := r.Renew(t.Context(), Renewal{Edge: "FRA50-1"}); err != nil {
			t.Fatal(err)
		}
	}
	hear(other, one)
	hear(one, other)
	first.Close()
	eventually(t, "a connection to the other", func() bool { return r.Connected() == nil && r.nc.ConnectedAddr() == other })
	hear(other)
	if want := []string{other, one}; len(kept) != 1 || !slices.Equal(kept[0], want) || !slices.Equal(r.Addresses(), want) {
		t.Errorf("kept %v, knows %v, want %v", kept, r.Addresses(), want)
	}
	for range 2 * mostKnown {
		hear(other, string(rune('a'+len(kept)))+".example.com:4443")
	}
	if n := len(r.Addresses()); n != mostKnown {
		t.Errorf("it knows %d", n)
	}
}
