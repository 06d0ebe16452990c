package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is the log of records of several control nodes, which all apply it at once.
type ledger struct {
	*Access // of the first one
	t       *testing.T
	others  []*Access

	mu      sync.Mutex
	records []Record
	unsure  error // of Sure and Change
}

func newTestAccess(t *testing.T, secret string, given ...AccessKey) *Access {
	t.Helper()
	a, err := NewAccess([]byte(secret), given...)
	if err != nil {
		t.Fatal(err)
	}
	a.cost = cheap
	return a
}

const testSecret = "0123456789abcdef0123456789abcdef"

// testLedger has the user admin.
func testLedger(t *testing.T, others ...*Access) *ledger {
	t.Helper()
	l := &ledger{Access: newTestAccess(t, testSecret), t: t, others: others}
	if err := l.addUser("admin", "correct horse", Administrator); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *ledger) Sure(context.Context) error { return l.unsure }

func (l *ledger) Change(_ context.Context, decide func() []Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unsure != nil {
		return l.unsure
	}
	return l.do(decide(), nil)
}

// do applies what was decided.
func (l *ledger) do(all []Record, err error) error {
	for _, a := range append([]*Access{l.Access}, l.others...) {
		for _, r := range all {
			err = errors.Join(err, a.Apply(r))
		}
	}
	l.records = append(l.records, all...)
	return err
}

func (l *ledger) addUser(name, password string, role Role) error {
	u, err := l.NewUser(name, password, role, now)
	if err != nil {
		return err
	}
	return l.do(l.AddUser(u))
}

func (l *ledger) changeUser(name, password string, role Role) error {
	hash, err := "", error(nil)
	if password != "" {
		if hash, err = l.Hash(password); err != nil {
			return err
		}
	}
	return l.do(l.ChangeUser(name, hash, role))
}

func TestAccess_Keys(t *testing.T) {
	other := newTestAccess(t, testSecret)
	l := testLedger(t, other)
	admin, _ := NewAccessKey("admin", Administrator, now)
	ci, _ := NewAccessKey("ci", Invalidator, now.Add(time.Hour))
	for _, c := range []struct {
		err, want error
	}{
		{l.do(l.AddKey(admin)), nil},
		{l.do(l.AddKey(ci)), nil},
		{l.do(l.AddKey(ci)), ErrKeyExists},
		{l.do(l.AddKey(AccessKey{})), ErrKeyID},
		{l.do(l.RemoveKey(admin.ID)), ErrLastKey},
		{l.do(l.RemoveKey("nobody")), ErrNoSuchKey},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%v, want %v", c.err, c.want)
		}
	}
	for _, a := range []*Access{l.Access, other} {
		if got := a.Keys.List(); len(got) != 2 || got[0] != admin || got[1] != ci {
			t.Errorf("%+v", got)
		}
	}
	if err := l.do(l.RemoveKey(ci.ID)); err != nil {
		t.Error(err)
	}
	if got := other.Keys.List(); len(got) != 1 || got[0] != admin {
		t.Errorf("%+v", got)
	}
}

// What this process was given is its own: no record takes it away or replaces it.
func TestAccess_GivenKey(t *testing.T) {
	given := AccessKey{ID: "AKIDGIVEN", Secret: "averysecretthing", User: "environment", Role: Administrator}
	a := newTestAccess(t, testSecret, given)
	other := newTestAccess(t, testSecret)
	admin, _ := NewAccessKey("admin", Administrator, now)
	same := given
	same.Secret = "anothersecretthing"
	all, err := other.AddKey(admin)
	more, err2 := other.AddKey(same)
	for _, r := range append(append(all, more...), Record{Name: keyRecord + given.ID}) {
		err = errors.Join(err, a.Apply(r))
	}
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if got, ok := a.Keys.Find(given.ID); !ok || got != given {
		t.Errorf("%+v", got)
	}
	if _, err := a.RemoveKey(given.ID); !errors.Is(err, ErrGivenKey) {
		t.Error(err)
	}
	if _, err := a.RemoveKey(admin.ID); err != nil {
		t.Error("an administrator's key is left:", err)
	}
}

// Whoever reads the log learns names, and nothing else; whoever has another secret has nobody in.
func TestAccess_Sealed(t *testing.T) {
	stranger := newTestAccess(t, strings.ToUpper(testSecret))
	l := testLedger(t)
	key, _ := NewAccessKey("admin", Administrator, now)
	if err := l.do(l.AddKey(key)); err != nil {
		t.Fatal(err)
	}
	for _, r := range l.records {
		if bytes.Contains(r.Sealed, []byte("admin")) || bytes.Contains(r.Sealed, []byte(key.Secret)) {
			t.Errorf("%s can be read", r.Name)
		}
		if err := stranger.Apply(r); err == nil {
			t.Errorf("%s was read with another secret", r.Name)
		}
	}
	if n := len(stranger.Keys.List()) + len(stranger.Users.List()); n != 0 || stranger.Unreadable() != 2 {
		t.Errorf("%d are in, %d records are unreadable", n, stranger.Unreadable())
	}
	moved := Record{Name: keyRecord + "AKIDOTHER", Sealed: l.records[len(l.records)-1].Sealed}
	if err := l.Apply(moved); err == nil {
		t.Error("a record counts under another's name")
	}
	for _, r := range []Record{{Name: "x/y"}, {Name: ""}, {Name: keyRecord + key.ID, Sealed: []byte("short")}} {
		if err := l.Apply(r); err == nil {
			t.Errorf("%+v passed", r)
		}
	}
	if _, ok := l.Keys.Find(key.ID); ok {
		t.Error("what cannot be read is as it was before")
	}

	t.Log("what cannot be read can be made anew, and taken away")
	u, err := stranger.NewUser("admin", "correct horse", Administrator, now)
	if err != nil {
		t.Fatal(err)
	}
	all, err := stranger.AddUser(u)
	mine, _ := NewAccessKey("admin", Administrator, now)
	more, err2 := stranger.AddKey(mine)
	for _, r := range append(all, more...) {
		err = errors.Join(err, stranger.Apply(r))
	}
	gone, err3 := stranger.RemoveKey(key.ID)
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	if err := stranger.Apply(gone[0]); err != nil || stranger.Unreadable() != 0 || len(stranger.Keys.List()) != 1 {
		t.Errorf("%v, %d unreadable, %+v", err, stranger.Unreadable(), stranger.Keys.List())
	}
}

func TestAccess_Import(t *testing.T) {
	l := testLedger(t)
	admin, _ := l.Users.Find("admin")
	mine, theirs := *admin, *admin
	mine.Name, theirs.Password = "anna", cheap.phc("another one")
	a, _ := NewAccessKey("ci", Invalidator, now)
	b, _ := NewAccessKey("ci", Invalidator, now)
	known := []string{keyRecord + b.ID, userRecord + "admin"} // b was removed before
	all := l.Import([]AccessKey{a, b}, []*User{&mine, &theirs}, func(name string) bool { return slices.Contains(known, name) })
	if err := l.do(all, nil); err != nil || len(all) != 2 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	if got := l.Keys.List(); len(got) != 1 || got[0] != a {
		t.Errorf("%+v", got)
	}
	if u, _ := l.Users.Find("admin"); u != admin || len(l.Users.List()) != 2 {
		t.Errorf("%+v", u)
	}
}

func TestAccess_TooManyUsers(t *testing.T) {
	l := testLedger(t)
	hash := cheap.phc("correct horse")
	for i := range MaxUsers - 1 {
		if err := l.do(l.AddUser(&User{Name: fmt.Sprint("user", i), Role: Viewer, Password: hash})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.AddUser(&User{Name: "onemore", Role: Viewer, Password: hash}); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}
