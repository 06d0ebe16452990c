package auth

import (
	"errors"
	"testing"
	"time"
)

func TestBearer(t *testing.T) {
	keys, err := StaticKeys(AccessKey{ID: "AKIDCI", Secret: "averysecretthing", User: "ci", Role: Invalidator})
	if err != nil {
		t.Fatal(err)
	}
	clock := now
	b := NewBearer(keys.Lookup, func() time.Time { return clock })
	if key, err := b.Admit("AKIDCI", "averysecretthing", "192.0.2.1"); err != nil || key.User != "ci" {
		t.Error(key.User, err)
	}
	for _, w := range [][2]string{{"AKIDNONE", "averysecretthing"}, {"AKIDNONE", ""}, {"", ""}} {
		if _, err := b.Admit(w[0], w[1], "192.0.2.1"); err != ErrWrongCredentials {
			t.Errorf("%q: %v", w, err)
		}
	}
	wrong := [][2]string{{"AKIDCI", "averysecretthinG"}, {"AKIDCI", ""}}
	for range 10 { // 20 together
		for _, w := range wrong {
			if _, err := b.Admit(w[0], w[1], "192.0.2.1"); err != ErrWrongCredentials {
				t.Errorf("%q: %v", w, err)
			}
		}
	}
	// The next has to wait, also with the right one: or guessing would go on.
	var wait *TooManyTries
	if _, err := b.Admit("AKIDCI", "averysecretthing", "192.0.2.1"); !errors.As(err, &wait) || wait.After != 10*time.Second {
		t.Error(err)
	}
	if _, err := b.Admit("AKIDCI", "averysecretthing", "192.0.2.2"); err != nil {
		t.Error("somebody else waits for it:", err)
	}
	if _, err := b.Admit("AKIDOTHER", "averysecretthing", "192.0.2.1"); err != ErrWrongCredentials {
		t.Error("another key waits for it:", err)
	}
	clock = clock.Add(10 * time.Second)
	for range 30 { // what is right uses nothing up
		if _, err := b.Admit("AKIDCI", "averysecretthing", "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
	// A network of IPv6 is one.
	for range 20 {
		b.Admit("AKIDCI", "guess", "2001:db8::1")
	}
	if _, err := b.Admit("AKIDCI", "averysecretthing", "2001:db8::2"); !errors.As(err, &wait) {
		t.Error(err)
	}
	broken := errors.New("the table is gone")
	b = NewBearer(func(string, string) (AccessKey, error) { return AccessKey{}, broken }, nil)
	if _, err := b.Admit("AKIDCI", "averysecretthing", "192.0.2.1"); err != broken {
		t.Error(err)
	}
}
