package admission

import (
	"crypto/tls"
	"testing"
)

// machine is one that was admitted under a name.
func machine(t *testing.T, a *Authority, name string) *Identity {
	t.Helper()
	p, err := NewApplicant(tokenOf(a))
	if err != nil {
		t.Fatal(err)
	}
	server, err := a.Control()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, server, p.TLS()); err != nil {
		t.Fatal(err)
	}
	der, _, err := a.Sign(p.Request, name)
	if err != nil {
		t.Fatal(err)
	}
	i, err := p.Keep(t.TempDir(), name, "", der, nil, []string{"x:1"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// No machine passes for one of another kind.
func TestRelay_IsNeitherEdgeNorControl(t *testing.T) {
	a := authority(t, t.TempDir())
	relay, edge := machine(t, a, Relay("fra1")), machine(t, a, "FRA50-1")
	control, err := a.Control()
	if err != nil {
		t.Fatal(err)
	}
	if who, err := handshake(t, relay.Listen(), edge.ToRelay()); err != nil || who != "FRA50-1 "+edge.Serial() {
		t.Errorf("an edge at a relay is %s, %v", who, err)
	}
	if who, err := handshake(t, control, relay.TLS()); err != nil || who != "nobody" {
		t.Errorf("a relay at a control node is the edge %s, %v", who, err)
	}
	for what, to := range map[string]struct{ server, client *tls.Config }{
		"a relay as a control node": {relay.Listen(), edge.TLS()},
		"a control node as a relay": {control, edge.ToRelay()},
		"an edge as a relay":        {edge.Listen(), edge.ToRelay()},
		"a relay as an edge":        {relay.Listen(), edge.Ask("relay.fra1", func(string, string) bool { return true })},
		"another's relay":           {machine(t, authority(t, t.TempDir()), Relay("fra1")).Listen(), edge.ToRelay()},
	} {
		if _, err := handshake(t, to.server, to.client); err == nil {
			t.Errorf("%s is taken for one", what)
		}
	}
}

func TestPush_IsSignedByTheAuthorityAlone(t *testing.T) {
	a, b := authority(t, t.TempDir()), authority(t, t.TempDir())
	edge := machine(t, a, "FRA50-1")
	entry := []byte(`{"Seq":1}`)
	signature, err := a.SignPush(entry)
	if err != nil {
		t.Fatal(err)
	}
	if !edge.Pushed(entry, signature) {
		t.Error("the authority's is not believed")
	}
	theirs, err := b.SignPush(entry)
	if err != nil {
		t.Fatal(err)
	}
	if edge.Pushed(entry, theirs) || edge.Pushed([]byte(`{"Seq":2}`), signature) || edge.Pushed(entry, nil) || edge.Pushed(nil, signature) {
		t.Error("what is not signed so is believed")
	}
}
