package node

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/ownapi"
)

// comes waits until f returns "", and lets others work meanwhile.
func comes(tb testing.TB, f func() string) {
	tb.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	why := f()
	for deadline := time.Now().Add(2 * time.Minute); why != ""; why = f() {
		if time.Now().After(deadline) {
			tb.Fatal(why)
		}
		<-again.C
	}
}

// answerOf is the status and the text that an address gives.
func answerOf(url string) (int, string) {
	r, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

// From one control node to three, with an edge that stays; then without the first, and without most.
func TestControl_OneToThree(t *testing.T) {
	cs := []Config{controlConfig(t), controlConfig(t), controlConfig(t)}
	names, peers := []string{"control1", "control2", "control3"}, []string(nil)
	for i := range cs {
		peers = append(peers, names[i]+"="+lasting.Address())
		cs[i].Control = lasting.Address()
	}
	cs[1].Telemetry = lasting.Address()
	earlier(t, cs[0], oldKey("ONE"), map[string]string{"admin": "of the first node"})
	earlier(t, cs[1], oldKey("TWO"), map[string]string{"admin": "of the second node"})
	d, stop := startRole(t, Control, cs[0])
	by := journal.Actor{User: "test"}
	e, stopEdge := startRole(t, Edge, edgeConfig(t, tokenFor(t, d, "FRA50-1")))

	type started struct {
		d    *process
		stop func() error
	}
	others := make(chan started, 2)
	for i := range cs {
		cs[i].Name, cs[i].Peers = names[i], peers
		if i == 0 {
			continue
		}
		token, err := d.gate.controlToken(t.Context(), by, ownapi.ControlWish{Node: names[i], Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		cs[i].Token = token.Token
		go func() {
			var one started
			defer func() { others <- one }() // also when it has failed
			one.d, one.stop = startRole(t, Control, cs[i])
		}()
	}
	for _, c := range cs[1:] {
		comes(t, func() string {
			if _, err := os.Stat(filepath.Join(c.Data, joining)); err != nil {
				return err.Error()
			}
			return ""
		})
	}
	comes(t, func() string {
		status, text := answerOf("http://" + cs[1].Control + "/2020-05-31/distribution")
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "<Code>ServiceUnavailable</Code>") || !strings.Contains(text, "none of the control nodes that are here has the journal") {
			return text
		}
		return ""
	})
	for path, want := range map[string]string{"/healthz": "200 ok", "/readyz": "503 journal: none of the control nodes that are here has the journal", "/metrics": "200 # HELP"} {
		if status, text := answerOf("http://" + cs[1].Telemetry + path); !strings.HasPrefix(fmt.Sprint(status, " ", text), want) {
			t.Errorf("%s of a node that waits: %d %s", path, status, text)
		}
	}
	seq := d.control.Seq()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	all := []started{{}, {}, {}}
	all[0].d, all[0].stop = startRole(t, Control, cs[0])
	for range 2 {
		one := <-others
		if one.d == nil {
			t.FailNow()
		}
		all[strings.Index("123", one.d.Name[len("control"):])] = one
	}
	for _, one := range all {
		if one.d.control.Seq() < seq {
			t.Errorf("%s has read %d entries of %d", one.d.Name, one.d.control.Seq(), seq)
		}
	}

	t.Log("what one accepts, all know, and the edge")
	if err := all[1].d.control.AccessChanged(t.Context(), by, "Test", "x"); err != nil {
		t.Fatal(err)
	}
	seq = all[1].d.control.Seq()
	reached := func(d *process) func() string {
		return func() string {
			if d.control.Seq() < seq || e.places[0].edge.Stats().Seq < seq || len(d.fleet.connected()) != 1 {
				return d.Name + " or the edge is behind"
			}
			return ""
		}
	}
	comes(t, reached(all[2].d))
	comes(t, func() string {
		if a, all := all[0].d.gate.addresses(); !all || len(a) != 3 {
			return "not all addresses are known: " + strings.Join(a, ", ")
		}
		return ""
	})

	client := asks{t, cs}
	key, in := client.sameEverywhere()

	t.Log("without the first one")
	if err := all[0].stop(); err != nil {
		t.Fatal(err)
	}
	meanwhile := client.key(1, key, "ops")
	client.want("a key that was made while one node was off", 200, 2, meanwhile, "GET", list, "")
	if err := all[2].d.control.AccessChanged(t.Context(), by, "Test", "y"); err != nil {
		t.Fatal(err)
	}
	seq = all[2].d.control.Seq()
	comes(t, reached(all[1].d))

	t.Log("it is back, and knows who may; and off again")
	all[0].d, all[0].stop = startRole(t, Control, cs[0])
	client.want("a key that was made meanwhile", 200, 0, meanwhile, "GET", list, "")
	if _, status := client.session(0, "GET", "", in.cookie); status != http.StatusOK {
		t.Errorf("a session from before its start: %d", status)
	}
	if err := all[0].stop(); err != nil {
		t.Fatal(err)
	}

	t.Log("without most")
	if err := all[2].stop(); err != nil {
		t.Fatal(err)
	}
	for path, words := range map[string]string{
		"/":                        "This control node cannot answer now: no quorum: 1 of 3 control nodes reached: control2; not control1=",
		"/2020-05-31/distribution": "<Message>This control node cannot answer now: no quorum: 1 of 3",
		"/warmfront/v1/nodes":      `"message":"This control node cannot answer now: no quorum: 1 of 3`,
	} {
		comes(t, func() string {
			if status, text := answerOf("http://" + cs[1].Control + path); status != http.StatusServiceUnavailable || !strings.Contains(text, words) {
				return path + ": " + text
			}
			return ""
		})
	}
	if err := errors.Join(stopEdge(), all[1].stop()); err != nil {
		t.Error(err)
	}
	who, err := admission.OpenIdentity(filepath.Join(e.Data, "identity"))
	if err != nil || len(who.Addresses) == 0 {
		t.Errorf("the edge: %v", err)
	}
}

func TestControl_WhatItRefusesOfPeers(t *testing.T) {
	for _, r := range []struct {
		name, token string
		peers       []string
		says        string
	}{
		{"a", "", []string{"a=1.2.3.4:1", "b=1.2.3.4:2"}, "three or five nodes, not 2"},
		{"", "", []string{"a=1.2.3.4:1", "b=1.2.3.4:2", "c=1.2.3.4:3"}, `--name "" is not among --peers`},
		{"a", "", []string{"1.2.3.4:1"}, "write name=host:port"},
		{"a", "", []string{"a=1.2.3.4:1", "b=1.2.3.4:2", "c=1.2.3.4:1"}, "given twice"},
		{"a", "", []string{"a=1.2.3.4:1", "b=1.2.3.4:2", "c=1.2.3.4:3"}, "holds no control node yet"},
		{"a", "wfe1.x", []string{"a=1.2.3.4:1", "b=1.2.3.4:2", "c=1.2.3.4:3"}, "no token for a control node"},
		{"a", "wfc1.x", nil, "give --name and --peers, or --nats, too"},
	} {
		c := controlConfig(t)
		c.Name, c.Peers, c.Token = r.name, r.peers, r.token
		if err := Control(t.Context(), c); err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%v: %v, want %q", r.peers, err, r.says)
		}
	}
}
