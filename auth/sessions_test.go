package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// hall is Sessions with a clock that the test moves.
type hall struct {
	*Sessions
	t     *testing.T
	clock time.Time
}

func testSessions(t *testing.T) *hall {
	t.Helper()
	h := &hall{t: t, clock: now}
	h.Sessions = NewSessions(testUsers(t), func() time.Time { return h.clock })
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
	_, c, err := h.Renew(id)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *hall) wantLookup(c Credentials, want error) {
	h.t.Helper()
	key, err := h.Lookup(c.AccessKeyID, c.SessionToken)
	if !errors.Is(err, want) || err == nil && key.Secret != c.SecretAccessKey {
		h.t.Errorf("lookup: %+v %v, want %v", key, err, want)
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
	if _, _, err := h.Renew(id); !errors.Is(err, ErrNoSession) {
		t.Error(err)
	}
	h.wantLookup(last, sigv4.ErrUnknownKey) // forgotten
}

func TestSessions_SignOut(t *testing.T) {
	h := testSessions(t)
	id, other := h.signIn("admin", "correct horse"), h.signIn("admin", "correct horse")
	c, kept := h.renew(id), h.renew(other)
	h.SignOut(id)
	h.SignOut("never was")
	h.wantLookup(c, sigv4.ErrUnknownKey)
	h.wantLookup(kept, nil)
	if _, _, err := h.Renew(id); !errors.Is(err, ErrNoSession) {
		t.Error(err)
	}
}

func TestSessions_EndWithWhatTheirUserWas(t *testing.T) {
	for name, change := range map[string]func(*Users) error{
		"deleted":  func(u *Users) error { return u.Remove("ops") },
		"role":     func(u *Users) error { return u.Change("ops", "", Administrator) },
		"password": func(u *Users) error { return u.Change("ops", "another one", "") },
		"deleted and made again": func(u *Users) error {
			return errors.Join(u.Remove("ops"), u.Add("ops", "long enough", Viewer, now))
		},
	} {
		h := testSessions(t)
		if err := h.users.Add("ops", "long enough", Viewer, now); err != nil {
			t.Fatal(err)
		}
		id, admin := h.signIn("ops", "long enough"), h.signIn("admin", "correct horse")
		c, kept := h.renew(id), h.renew(admin)
		if err := change(h.users); err != nil {
			t.Fatal(err)
		}
		h.wantLookup(c, sigv4.ErrExpiredToken)
		if _, _, err := h.Renew(id); !errors.Is(err, ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
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

func TestSessions_TablesAreBounded(t *testing.T) {
	h := testSessions(t)
	first := h.signIn("admin", "correct horse")
	for range maxSessions {
		h.clock = h.clock.Add(time.Second)
		h.signIn("admin", "correct horse")
	}
	if len(h.sessions) != maxSessions {
		t.Errorf("%d sessions", len(h.sessions))
	}
	if _, _, err := h.Renew(first); !errors.Is(err, ErrNoSession) {
		t.Error("the oldest session is not the one that ended")
	}
	id := h.signIn("admin", "correct horse")
	oldest := h.renew(id)
	var newest Credentials
	for range maxCredentials {
		newest = h.renew(id)
	}
	h.wantLookup(oldest, sigv4.ErrUnknownKey)
	h.wantLookup(newest, nil)
	if len(h.credentials) != maxCredentials {
		t.Errorf("%d credentials", len(h.credentials))
	}
	h.clock = h.clock.Add(13 * time.Hour)
	h.signIn("admin", "correct horse")
	if len(h.sessions) != 1 || len(h.credentials) != 0 {
		t.Errorf("%d sessions, %d credentials are left of what is over", len(h.sessions), len(h.credentials))
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
			_, c, err := h.Renew(id)
			if _, lookup := h.Lookup(c.AccessKeyID, c.SessionToken); err != nil || lookup != nil {
				t.Error(err, lookup)
			}
			h.SignOut(id)
		})
	}
	all.Wait()
	if len(h.sessions)+len(h.credentials) != 0 {
		t.Error("something is left")
	}
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
