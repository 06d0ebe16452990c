package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// access changes, adds or removes one or several of a few records.
func (l *life) access() {
	err := l.h.ChangeAccess(l.h.t.Context(), someone, "Change", fmt.Sprint(l.n), func(func(string) bool) (all []auth.Record, err error) {
		for i := range 1 + l.n%3 {
			r := auth.Record{Name: fmt.Sprint("user/", (l.n/7+i)%5)}
			if (l.n+i)%4 > 0 {
				r.Sealed = []byte(fmt.Sprint(l.n))
			}
			all = append(all, r)
		}
		return all, nil
	})
	if err != nil {
		l.h.t.Error(err)
	}
}

// startWith is a control plane that keeps who may.
func startWith(t *testing.T, log journal.Log) (*Control, *auth.Access) {
	t.Helper()
	access, err := auth.NewAccess(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Log: log, AccountID: "123456789012", Access: access})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-c.Ready()
	return c, access
}

// Three nodes decide at once about the same keys: each that is made is there once, on all, and none less than what was told.
func TestAccess_SameOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		var nodes []*Control
		var all []*auth.Access
		for range 3 {
			c, a := startWith(t, log)
			nodes, all = append(nodes, c), append(all, a)
		}
		key := auth.AccessKey{ID: "AKIDSAME", Secret: "averysecretthing", User: "ci", Role: auth.Administrator}
		var made, refused []int
		var mu sync.Mutex
		var racing sync.WaitGroup
		for i := range nodes {
			racing.Go(func() {
				err := nodes[i].ChangeAccess(t.Context(), someone, "CreateAccessKey", "access-key/AKIDSAME", func(func(string) bool) ([]auth.Record, error) {
					return all[i].AddKey(key)
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					made = append(made, i)
				case errors.Is(err, auth.ErrKeyExists):
					refused = append(refused, i)
				default:
					t.Error(err)
				}
				if got, err := all[i].Keys.Lookup("AKIDSAME", ""); err != nil || got.Secret != key.Secret {
					t.Errorf("node %d does not know what it was asked for: %+v, %v", i, got, err)
				}
			})
		}
		racing.Wait()
		synctest.Wait()
		if len(made) != 1 || len(refused) != 2 {
			t.Errorf("made by %v, refused by %v", made, refused)
		}
		for i, a := range all {
			if len(a.Keys.List()) != 1 {
				t.Errorf("node %d has %+v", i, a.Keys.List())
			}
		}

		t.Log("nothing of it can be read in the journal")
		entries, err := log.Read(t.Context(), 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if b, err := journal.Encode(e); err != nil || strings.Contains(string(b), key.Secret) {
				t.Errorf("%s, %v", b, err)
			}
		}

		t.Log("of what one removes, the others know that it was there; one that starts has what counts")
		other := key
		other.ID = "AKIDOTHER"
		for _, decide := range []func() ([]auth.Record, error){
			func() ([]auth.Record, error) { return all[0].AddKey(other) },
			func() ([]auth.Record, error) { return all[0].RemoveKey("AKIDSAME") },
		} {
			if err := nodes[0].ChangeAccess(t.Context(), someone, "", "", func(func(string) bool) ([]auth.Record, error) { return decide() }); err != nil {
				t.Fatal(err)
			}
		}
		_, late := startWith(t, log)
		synctest.Wait()
		for _, a := range append(slices.Clone(all), late) {
			if got := a.Keys.List(); len(got) != 1 || got[0].ID != "AKIDOTHER" {
				t.Errorf("%+v", got)
			}
		}
		err = nodes[2].ChangeAccess(t.Context(), someone, "", "", func(known func(string) bool) ([]auth.Record, error) {
			if !known("access-key/AKIDSAME") || !known("access-key/AKIDOTHER") || known("access-key/AKIDNEVER") {
				t.Error("a record was forgotten, or made up")
			}
			return nil, nil
		})
		if err != nil {
			t.Error(err)
		}
		page, err := nodes[2].Audit("", 0)
		if err != nil || len(page.Items) != 1 || page.Items[0].Action != "CreateAccessKey" || page.Items[0].By != someone {
			t.Errorf("%+v, %v", page.Items, err)
		}
	})
}

// A refusal that could not be made sure of is none.
func TestAccess_JournalGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		c, _ := startWith(t, log)
		log.Close()
		for _, decided := range []struct {
			all []auth.Record
			err error
		}{{nil, auth.ErrLastKey}, {[]auth.Record{{Name: "user/a"}}, nil}} {
			err := c.ChangeAccess(t.Context(), someone, "x", "y", func(func(string) bool) ([]auth.Record, error) { return decided.all, decided.err })
			if code(err) != "ServiceUnavailable" {
				t.Errorf("%v", err)
			}
		}
	})
}
