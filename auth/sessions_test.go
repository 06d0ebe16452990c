package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// hall is Sessions with a clock that the test moves.
type hall struct {
	*Sessions
	*ledger
	elsewhere *Sessions // of another control node
	t         *testing.T
	clock     time.Time
}

func testSessions(t *testing.T) *hall {
	t.Helper()
	h := &hall{t: t, clock: now}
	other := newTestAccess(t, testSecret)
	h.ledger = testLedger(t, other)
	clock := func() time.Time { return h.clock }
	h.Sessions, h.elsewhere = NewSessions(h.ledger.Access, h.ledger, clock), NewSessions(other, h.ledger, clock)
	return h
}

func (h *hall) signIn(user, password string) string {
	h.t.Helper()
	id, session, err := h.SignIn(h.t.Context(), user, password, "192.0.2.1")
	if err != nil || session.User != user || !session.Expires.Equal(h.clock.Add(12*time.Hour)) {
		h.t.Fatalf("%+v %v", session, err)
	}
	return id
}

func (h *hall) renew(id string) Credentials {
	h.t.Helper()
	_, c, err := h.Renew(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *hall) signOut(id string) {
	h.t.Helper()
	if err := h.SignOut(h.t.Context(), id); err != nil {
		h.t.Fatal(err)
	}
}

// wantNoSession wants a session to have ended, at all nodes.
func (h *hall) wantNoSession(what, id string) {
	h.t.Helper()
	for _, s := range []*Sessions{h.Sessions, h.elsewhere} {
		if _, _, err := s.Renew(h.t.Context(), id); !errors.Is(err, ErrNoSession) {
			h.t.Errorf("%s: %v", what, err)
		}
	}
}

func (h *hall) wantLookup(c Credentials, want error) {
	h.t.Helper()
	for _, s := range []*Sessions{h.Sessions, h.elsewhere} {
		key, err := s.Lookup(c.AccessKeyID, c.SessionToken)
		if !errors.Is(err, want) || err == nil && key.Secret != c.SecretAccessKey {
			h.t.Errorf("lookup: %+v %v, want %v", key, err, want)
		}
	}
}

func TestSessions_Life(t *testing.T) {
	h := testSessions(t)
	id := h.signIn("admin", "correct horse")
	first := h.renew(id)
	if first.AccessKeyID[:4] != "ASIA" || len(first.AccessKeyID) != 20 || !first.Expiration.Equal(now.Add(15*time.Minute)) {
		t.Errorf("%+v", first)
	}
	h.wantLookup(first, nil)
	second := h.renew(id)
	h.wantLookup(first, nil) // another tab's
	h.wantLookup(Credentials{AccessKeyID: first.AccessKeyID, SessionToken: second.SessionToken}, sigv4.ErrUnknownKey)
	h.wantLookup(Credentials{AccessKeyID: first.AccessKeyID}, sigv4.ErrUnknownKey)

	h.clock = now.Add(15 * time.Minute)
	h.wantLookup(first, sigv4.ErrExpiredToken)
	h.clock = now.Add(12*time.Hour - time.Minute)
	last := h.renew(id)
	if !last.Expiration.Equal(now.Add(12 * time.Hour)) {
		t.Errorf("credentials outlive their session: %v", last.Expiration)
	}
	h.clock = now.Add(12 * time.Hour)
	h.wantLookup(last, sigv4.ErrExpiredToken)
	h.wantNoSession("12 hours", id)
	h.clock = now.Add(72 * time.Hour)
	h.wantNoSession("three days", id)
	h.wantLookup(last, sigv4.ErrUnknownKey)
}

func TestSessions_SignOut(t *testing.T) {
	h := testSessions(t)
	id, other := h.signIn("admin", "correct horse"), h.signIn("admin", "correct horse")
	c, kept := h.renew(id), h.renew(other)
	before := len(h.records)
	h.signOut(id)
	h.signOut(id)
	h.signOut("never was")
	if n := len(h.records) - before; n != 1 {
		t.Errorf("%d records of one sign-out", n)
	}
	h.wantLookup(c, sigv4.ErrUnknownKey)
	h.wantLookup(kept, nil)
	h.wantNoSession("signed out", id)

	t.Log("the log does not answer")
	h.unsure = errors.New("no quorum")
	if err := h.SignOut(t.Context(), other); !errors.Is(err, h.unsure) {
		t.Error(err)
	}
	if _, _, err := h.Renew(t.Context(), other); !errors.Is(err, h.unsure) {
		t.Error(err)
	}
	if _, _, err := h.SignIn(t.Context(), "admin", "correct horse", "192.0.2.1"); !errors.Is(err, h.unsure) {
		t.Error(err)
	}
	h.unsure = nil
	h.wantLookup(kept, nil)

	t.Log("who is made anew has not signed out")
	if err := h.addUser("anna", "long enough", Viewer); err != nil {
		t.Fatal(err)
	}
	h.signOut(h.signIn("anna", "long enough"))
	if err := errors.Join(h.do(h.RemoveUser("anna")), h.addUser("anna", "long enough", Viewer)); err != nil || h.signOutsOf("anna") != nil {
		t.Error(err, h.signOutsOf("anna"))
	}
	h.renew(h.signIn("anna", "long enough"))
}

// Sign-outs are remembered one by one up to a bound; beyond it, what is ended too began before.
func TestSessions_SignOutsAreBounded(t *testing.T) {
	h := testSessions(t)
	first, second := h.signIn("admin", "correct horse"), ""
	for i := range maxSignOuts + 2 {
		h.clock = h.clock.Add(time.Second)
		id := h.signIn("admin", "correct horse")
		h.signOut(id)
		if i == 1 {
			h.clock = h.clock.Add(time.Second)
			second = h.signIn("admin", "correct horse")
		}
	}
	h.wantNoSession("it began before the oldest sign-out that is remembered as such", first)
	h.renew(second)
	if n := len(h.signOutsOf("admin").Ended); n != maxSignOuts {
		t.Errorf("%d sign-outs are remembered", n)
	}
	h.clock = h.clock.Add(14 * time.Hour)
	h.signOut(h.signIn("admin", "correct horse"))
	if n := len(h.signOutsOf("admin").Ended); n != 1 {
		t.Errorf("%d sign-outs are remembered when all but one are over anyway", n)
	}
}

// What a browser keeps cannot be made up, changed, or be used as something else.
func TestSessions_Forged(t *testing.T) {
	h := testSessions(t)
	id := h.signIn("admin", "correct horse")
	c := h.renew(id)
	flipped := []byte(id)
	flipped[len(flipped)/2] ^= 1
	foreign := NewSessions(newTestAccess(t, strings.ToUpper(testSecret)), h.ledger, func() time.Time { return now })
	for what, token := range map[string]string{
		"nothing": "", "text": "hello", "long": strings.Repeat("A", 5000), "cut": id[:len(id)-4], "changed": string(flipped),
		"credentials": c.SessionToken, "sealed elsewhere": foreign.seal("session", &claims{User: "admin", Began: now}),
	} {
		h.wantNoSession(what, token)
	}
	h.wantLookup(Credentials{AccessKeyID: c.AccessKeyID, SessionToken: id}, sigv4.ErrUnknownKey)
	h.wantLookup(Credentials{AccessKeyID: "", SessionToken: id}, sigv4.ErrUnknownKey)
}

// Nodes whose clocks are on two sides of midnight.
func TestSessions_Midnight(t *testing.T) {
	h := testSessions(t)
	h.clock = time.Date(2026, 5, 14, 23, 59, 59, 0, time.UTC)
	h.elsewhere.now = func() time.Time { return h.clock.Add(2 * time.Second) }
	id := h.signIn("admin", "correct horse")
	if _, _, err := h.elsewhere.Renew(t.Context(), id); err != nil {
		t.Error(err)
	}
	id, _, err := h.elsewhere.SignIn(t.Context(), "admin", "correct horse", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	h.wantLookup(h.renew(id), nil)
}

func TestSessions_EndWithWhatTheirUserWas(t *testing.T) {
	for name, change := range map[string]func(l *ledger) error{
		"deleted":  func(l *ledger) error { return l.do(l.RemoveUser("ops")) },
		"role":     func(l *ledger) error { return l.changeUser("ops", "", Administrator) },
		"password": func(l *ledger) error { return l.changeUser("ops", "another one", "") },
		"role and back": func(l *ledger) error {
			return errors.Join(l.changeUser("ops", "", Administrator), l.changeUser("ops", "", Viewer))
		},
		"deleted and made again": func(l *ledger) error {
			return errors.Join(l.do(l.RemoveUser("ops")), l.addUser("ops", "long enough", Viewer))
		},
	} {
		h := testSessions(t)
		if err := h.addUser("ops", "long enough", Viewer); err != nil {
			t.Fatal(err)
		}
		id, admin := h.signIn("ops", "long enough"), h.signIn("admin", "correct horse")
		c, kept := h.renew(id), h.renew(admin)
		if err := change(h.ledger); err != nil {
			t.Fatal(err)
		}
		h.wantLookup(c, sigv4.ErrExpiredToken)
		h.wantNoSession(name, id)
		h.wantLookup(kept, nil)
	}
}

func TestSessions_WrongCredentials(t *testing.T) {
	h := testSessions(t)
	for _, c := range [][2]string{{"admin", "wrong"}, {"admin", ""}, {"nobody", "correct horse"}, {"", ""}, {"Admin", "correct horse"}} {
		if _, _, err := h.SignIn(t.Context(), c[0], c[1], "192.0.2.1"); !errors.Is(err, ErrWrongCredentials) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestSessions_TriesAreBounded(t *testing.T) {
	h := testSessions(t)
	try := func(user, password, address string) error {
		_, _, err := h.SignIn(t.Context(), user, password, address)
		return err
	}
	for i := range 10 {
		if err := try("admin", "wrong", fmt.Sprintf("192.0.2.%d", i)); !errors.Is(err, ErrWrongCredentials) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	var refused *TooManyTries
	if err := try("admin", "correct horse", "192.0.2.77"); !errors.As(err, &refused) || refused.After != 30*time.Second {
		t.Fatalf("%v", err)
	}
	h.clock = h.clock.Add(30 * time.Second)
	for range 3 { // a right password costs nothing
		if err := try("admin", "correct horse", "192.0.2.77"); err != nil {
			t.Fatal(err)
		}
	}
	// One address, many users: IPv6 counts by network.
	for i := range 20 {
		if err := try(fmt.Sprint("user", i), "wrong", fmt.Sprintf("2001:db8::%d", i)); !errors.Is(err, ErrWrongCredentials) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if err := try("another", "wrong", "2001:db8::ffff"); !errors.As(err, &refused) {
		t.Error(err)
	}
	if err := try("another", "wrong", "2001:db8:1::1"); !errors.Is(err, ErrWrongCredentials) {
		t.Error(err)
	}
}

func TestSessions_HashingIsBounded(t *testing.T) {
	h := testSessions(t)
	for range maxHashing {
		h.hashing <- struct{}{}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := h.SignIn(gone, "admin", "correct horse", "192.0.2.1"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range maxWaiting {
		h.waiting <- struct{}{}
	}
	var refused *TooManyTries
	if _, _, err := h.SignIn(t.Context(), "admin", "correct horse", "192.0.2.1"); !errors.As(err, &refused) {
		t.Error(err)
	}
}

func TestSessions_AllAtOnce(t *testing.T) {
	h := testSessions(t)
	h.Sessions.now = func() time.Time { return now }
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			id, _, err := h.SignIn(t.Context(), "admin", "correct horse", "192.0.2.1")
			if err != nil {
				t.Error(err)
				return
			}
			_, c, err := h.Renew(t.Context(), id)
			if _, lookup := h.Lookup(c.AccessKeyID, c.SessionToken); err != nil || lookup != nil {
				t.Error(err, lookup)
			}
			if err := h.SignOut(t.Context(), id); err != nil {
				t.Error(err)
			}
			if _, _, err := h.Renew(t.Context(), id); !errors.Is(err, ErrNoSession) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestChain(t *testing.T) {
	h := testSessions(t)
	keys, err := StaticKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	c := h.renew(h.signIn("admin", "correct horse"))
	lookup := Chain(keys.Lookup, h.Lookup)
	for _, x := range []struct {
		id, token string
		want      error
	}{
		{testKey.ID, "", nil},
		{testKey.ID, "token", sigv4.ErrUnknownKey},
		{c.AccessKeyID, c.SessionToken, nil},
		{c.AccessKeyID, "", sigv4.ErrUnknownKey},
		{"nobody", "", sigv4.ErrUnknownKey},
	} {
		if _, err := lookup(x.id, x.token); !errors.Is(err, x.want) {
			t.Errorf("%+v: %v", x, err)
		}
	}
	h.clock = now.Add(time.Hour)
	if _, err := lookup(c.AccessKeyID, c.SessionToken); !errors.Is(err, sigv4.ErrExpiredToken) {
		t.Error(err)
	}
}

func TestRole_AtLeast(t *testing.T) {
	for i, r := range Roles {
		for j, least := range Roles {
			if r.AtLeast(least) != (i >= j) {
				t.Errorf("%s at least %s", r, least)
			}
		}
		if r.AtLeast("") || r.AtLeast("owner") || Role("owner").AtLeast(r) {
			t.Error("an unknown role compares")
		}
	}
}
