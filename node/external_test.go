package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/ownapi"
)

// startNATS starts an operator's NATS.
func startNATS(t *testing.T, address, dir string) (stop func()) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{Host: host, Port: n, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the operator's NATS is not ready")
	}
	return func() { s.Shutdown(); s.WaitForShutdown() }
}

// stopsAt is an Out that ends the process when a text is said.
type stopsAt struct {
	text string
	stop func()
}

func (x stopsAt) Write(b []byte) (int, error) {
	if strings.Contains(string(b), x.text) {
		x.stop()
	}
	return len(b), nil
}

// To stop a control node that waits for its journal is no failure, whatever it says of what it waited for.
func TestControl_StoppedWhileItWaitsForNATS(t *testing.T) {
	c := controlConfig(t)
	c.NATS, c.NATSSyncAlways = []string{"nats://" + lasting.Address()}, true
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Out = stopsAt{"Not serving yet: ", cancel}
	if err := Control(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Two control nodes with their journal in an operator's NATS, each with an edge; then without NATS, and with it again.
func TestControl_ExternalNATS(t *testing.T) {
	at, dir := lasting.Address(), t.TempDir()
	cs := []Config{controlConfig(t), controlConfig(t)}
	for i := range cs {
		cs[i].Name, cs[i].NATS, cs[i].NATSSyncAlways = []string{"control1", "control2"}[i], []string{"nats://" + at}, true
		cs[i].JournalEntries, cs[i].compactTail, cs[i].compactEvery = 300, 100, 50*time.Millisecond
		cs[i].Control = lasting.Address()
	}
	client := asks{t, cs}

	type started struct {
		d    *process
		stop func() error
	}
	first := make(chan started, 1)
	go func() {
		var one started
		defer func() { first <- one }() // also when it has failed
		one.d, one.stop = startRole(t, Control, cs[0])
	}()
	says := func(words string) {
		t.Helper()
		comes(t, func() string {
			status, text := answerOf("http://" + cs[0].Control + "/2020-05-31/distribution")
			if status != http.StatusServiceUnavailable || !strings.Contains(text, words) {
				return text
			}
			return ""
		})
	}
	says("NATS at nats://" + at + " cannot be reached")
	stopNATS := startNATS(t, at, dir)
	a := <-first
	if a.d == nil {
		t.FailNow()
	}
	by := journal.Actor{User: "test"}
	_, stopEdge := startRole(t, Edge, edgeConfig(t, tokenFor(t, a.d, "FRA50-1")))

	if err := Control(t.Context(), cs[1]); err == nil || !strings.Contains(err.Error(), "Make a token for it") {
		t.Errorf("without a token: %v", err)
	}
	cs[1].Data = t.TempDir() // it has an authority of its own now
	token, err := a.d.gate.controlToken(t.Context(), by, ownapi.ControlWish{Node: "control2", Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	cs[1].Token = token.Token
	b := started{}
	b.d, b.stop = startRole(t, Control, cs[1])
	cs[1].Token = ""
	_, stopOther := startRole(t, Edge, edgeConfig(t, tokenFor(t, b.d, "IAD89-1")))

	t.Log("each knows both nodes, and asks both edges")
	key := signer(a.d.ready.AccessKeyID, a.d.ready.SecretAccessKey, "")
	for i, d := range []*process{a.d, b.d} {
		comes(t, func() string {
			if n := d.controlNodes(); len(n) != 2 || n[0].Name != "control1" || n[1].Name != "control2" || n[0].Err != nil || n[1].Err != nil {
				return "not both control nodes"
			}
			if n := len(d.fleet.connected()); n != 2 {
				return strconv.Itoa(n) + " edges"
			}
			if a, all := d.gate.addresses(); !all || len(a) != 2 {
				return "addresses " + strings.Join(a, ", ")
			}
			return ""
		})
		client.want("the first node's key", 200, i, key, "GET", list, "")
	}

	t.Log("NATS is away, and back")
	stopNATS()
	says("NATS does not answer: there is no connection to nats://" + at)
	stopNATS = startNATS(t, at, dir)
	defer func() { stopNATS() }()
	for i := range cs {
		comes(t, func() string {
			if status, text := answerOf("http://" + cs[i].Control + "/"); status != http.StatusOK {
				return text
			}
			return ""
		})
	}
	if err := b.d.control.AccessChanged(t.Context(), by, "Test", "x"); err != nil {
		t.Fatal(err)
	}
	seq := b.d.control.Seq()
	comes(t, func() string {
		if a.d.control.Seq() < seq {
			return "the first node is behind"
		}
		return ""
	})

	t.Log("it has grown, and one of them compacts it")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	w := journal.NewWriter(journal.WriterConfig{Log: b.d.log})
	base := func(d *process) (base uint64) {
		for _, n := range d.controlNodes() {
			if n.Journal != nil {
				base = n.Journal.Base
			}
		}
		return base
	}
	for base(a.d) == 0 || base(b.d) == 0 {
		if _, err := w.Commit(ctx, func() ([]journal.Fact, error) { return []journal.Fact{{Tick: &journal.Tick{}}}, nil }); err != nil && ctx.Err() != nil {
			t.Fatalf("bases %d and %d: %v", base(a.d), base(b.d), err)
		}
	}
	for _, stop := range []func() error{stopEdge, stopOther, b.stop, a.stop} {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	if exists(filepath.Join(cs[0].Data, "journal", "jetstream")) {
		t.Error("there is a journal on this machine")
	}
}

func TestControl_WhatItRefusesOfNATS(t *testing.T) {
	for words, spoil := range map[string]func(*Config){
		"are for --nats":                   func(c *Config) { c.NATS = nil },
		"exclude each other":               func(c *Config) { c.Peers = []string{"a=1.2.3.4:1", "b=1.2.3.4:2", "c=1.2.3.4:3"}; c.Name = "a" },
		"--nats-sync-always is needed":     func(c *Config) { c.NATSSyncAlways = false },
		"is no URL of a NATS":              func(c *Config) { c.NATS = []string{"127.0.0.1:4222"} },
		"--cluster-address is for --peers": func(c *Config) { c.ClusterAddress = "127.0.0.1:0" },
	} {
		c := controlConfig(t)
		c.NATS, c.NATSSyncAlways = []string{"nats://127.0.0.1:1"}, true
		spoil(&c)
		if err := Control(t.Context(), c); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
		if f := CheckControl(c); !strings.Contains(strings.Join(f.Faults, "\n"), words) {
			t.Errorf("checked: %v, want %q", f.Faults, words)
		}
	}
}
