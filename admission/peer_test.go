package admission

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// meet lets one connect to the other, which is named to, and returns whom that has seen.
func meet(t *testing.T, from, at *Identity, to string, known func(edge, serial string) bool) (who string, err error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	seen := make(chan string, 1)
	go func() {
		c := tls.Server(far, at.Listen())
		if c.Handshake() != nil {
			far.Close()
			seen <- ""
			return
		}
		s := c.ConnectionState()
		edge, _, _ := Who(&s)
		seen <- edge
		c.Write([]byte{1})
	}()
	c := tls.Client(near, from.Ask(to, known))
	if err = c.Handshake(); err == nil {
		_, err = io.ReadFull(c, make([]byte, 1))
	}
	near.Close()
	return <-seen, err
}

func TestPeers_KnowEachOther(t *testing.T) {
	ours, err := OpenAuthority(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := OpenAuthority(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	edge := func(a *Authority, name string) *Identity {
		i, err := a.Local(name, "FRA50")
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	all := func(string, string) bool { return true }
	one, two, stranger := edge(ours, "FRA50-1"), edge(ours, "FRA50-2"), edge(theirs, "FRA50-2")
	if who, err := meet(t, one, two, "FRA50-2", all); who != "FRA50-1" || err != nil {
		t.Errorf("%q, %v", who, err)
	}
	if _, err := meet(t, one, two, "FRA50-3", all); err == nil {
		t.Error("one edge was taken for another")
	}
	if _, err := meet(t, one, two, "FRA50-2", func(string, string) bool { return false }); err == nil {
		t.Error("an edge that is not admitted any more was taken")
	}
	if _, err := meet(t, one, stranger, "FRA50-2", all); err == nil {
		t.Error("an edge of another authority was taken")
	}
	if who, err := meet(t, stranger, two, "FRA50-2", all); err == nil || who != "" {
		t.Errorf("an edge of another authority was let in as %q", who)
	}
	control, err := ours.Control()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := meet(t, one, identityOf("FRA50-2", "FRA50", control.Certificates[0], ours.root), "FRA50-2", all); err == nil {
		t.Error("a control node was taken for an edge")
	}
}
