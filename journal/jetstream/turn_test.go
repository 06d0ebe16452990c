package jetstream

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// users gives each of several control nodes a user of its own, named as the node is, who may publish to these alone, and opens them.
func users(t *testing.T, y *yours, publish map[string][]string) map[string]*Log {
	t.Helper()
	y.stop(0)
	y.tune = func(o *server.Options) {
		for name, subjects := range publish {
			o.Users = append(o.Users, &server.User{Username: name, Password: "p", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: subjects}, Subscribe: &server.SubjectPermission{Allow: []string{"WARMFRONT.>"}}}})
		}
	}
	y.start(t, 0)
	logs := map[string]*Log{}
	for _, name := range []string{"a", "b", "c"} {
		if publish[name] == nil {
			continue
		}
		c := y.config(t, "")
		c.External.Node, c.External.Joined = name, len(logs) > 0
		c.External.URLs = []string{strings.Replace(y.urls()[0], "nats://", "nats://"+name+":p@", 1)}
		logs[name] = mustOpen(t, c)
	}
	return logs
}

// onlyCompacts waits until this node compacts, and no other.
func onlyCompacts(t *testing.T, logs map[string]*Log, who string) {
	t.Helper()
	eventually(t, who+" compacts", func() bool {
		for name, l := range logs {
			if l.Compacts() != (name == who) {
				return false
			}
		}
		return true
	})
}

// failing keeps an entry that cannot be written.
type failing struct{}

func (failing) Add(*journal.Entry) {}
func (failing) Entries() []*journal.Entry {
	return []*journal.Entry{{Seq: 1, Time: time.Unix(1<<50, 0)}}
}

// Where the first control node by name may not compact, or fails to, the next one does; and if all have failed, who has failed least often.
func TestExternal_CompactsInTurn(t *testing.T) {
	t.Parallel()
	look := append(append([]string{}, forTheLog...), toLook...)
	all := append(append([]string{}, look...), toCompact...)
	logs := users(t, newYours(t, 1), map[string][]string{"a": look, "b": all, "c": all})
	onlyCompacts(t, logs, "b")
	fails := func(name string) {
		t.Helper()
		if _, err := logs[name].Compact(minute(t), Compaction{Tail: 5, Extract: failing{}}); err == nil {
			t.Fatalf("%s compacts", name)
		}
	}
	w := journal.NewWriter(journal.WriterConfig{Log: logs["a"], TickWindow: 1})
	for range 30 {
		if _, err := w.Tick(minute(t)); err != nil {
			t.Fatal(err)
		}
	}
	fails("b")
	onlyCompacts(t, logs, "c")
	fails("c")
	onlyCompacts(t, logs, "b")
	fails("b")
	onlyCompacts(t, logs, "c")
	logs["b"].Close()
	onlyCompacts(t, map[string]*Log{"a": logs["a"], "c": logs["c"]}, "c")
	if done, err := logs["c"].Compact(minute(t), Compaction{Tail: 5, Extract: everyTenth()}); err != nil || done.After >= done.Before {
		t.Errorf("%+v, %v", done, err)
	}
	eventually(t, "a goes on with it", func() bool { return logs["a"].Refresh(minute(t)) == nil && logs["a"].Extent().Base > 0 })
}

// A control node that could not read what a compaction keeps is not done out of its journal by another one.
func TestExternal_CompactsForNobodyBlind(t *testing.T) {
	t.Parallel()
	all := append(append(append([]string{}, forTheLog...), toLook...), toCompact...)
	logs := users(t, newYours(t, 1), map[string][]string{"a": all, "b": forTheLog})
	onlyCompacts(t, logs, "nobody")
	logs["b"].Close()
	delete(logs, "b")
	onlyCompacts(t, logs, "a")
}

// One of an earlier version does not tell how it stands to compacting: nobody waits for it, wherever its name puts it. Nor for one that has gone.
func TestExternal_CompactsBesideAnEarlierVersion(t *testing.T) {
	t.Parallel()
	c := newYours(t, 1).config(t, "")
	c.External.Node = "b"
	l := mustOpen(t, c)
	hear := func(s string) { l.others.hear(&nats.Msg{Data: []byte(s)}) }
	for _, s := range []string{`{"ID":"1","Node":"a"}`, `{"ID":"2","Node":"c"}`} {
		hear(s)
	}
	if !l.Compacts() || l.others.many() != 2 {
		t.Errorf("waits for an earlier version, of %d", l.others.many())
	}
	hear(`{"ID":"3","Node":"a","Turns":true}`)
	if l.Compacts() {
		t.Error("does not wait for who is before it")
	}
	hear(`{"ID":"3","Node":"a","Turns":true,"Gone":true}`)
	if !l.Compacts() {
		t.Error("waits for who has gone")
	}
}
