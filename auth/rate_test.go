package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestRate_EachKeyByItself(t *testing.T) {
	now := time.Unix(1000, 0)
	r := NewRate(10, func() time.Time { return now })
	for i := range 20 {
		if err := r.Take("a"); err != nil {
			t.Fatalf("call %d of the burst: %v", i, err)
		}
	}
	var no *Throttled
	if err := r.Take("a"); !errors.As(err, &no) || no.Key != "a" || no.Wait < 99*time.Millisecond || no.Wait > 101*time.Millisecond {
		t.Errorf("beyond the burst: %+v", err)
	}
	if err := r.Take("b"); err != nil {
		t.Errorf("another key: %v", err)
	}
	now = now.Add(100 * time.Millisecond)
	if err := r.Take("a"); err != nil {
		t.Errorf("after a tenth of a second: %v", err)
	}
	if err := r.Take("a"); err == nil {
		t.Error("a second one in that time")
	}
}

func TestRate_NilAllowsEverything(t *testing.T) {
	var r *Rate
	if err := r.Take("a"); err != nil {
		t.Error(err)
	}
}

func TestRate_ForgetsTheIdleFirst(t *testing.T) {
	now := time.Unix(1000, 0)
	r := NewRate(1, func() time.Time { return now })
	for range 2 {
		_ = r.Take("idle")
	}
	now = now.Add(time.Minute)
	for i := 1; i < maxRated; i++ {
		_ = r.Take(fmt.Sprint(i))
	}
	_ = r.Take("one more")
	if len(r.keys) != maxRated || r.keys["idle"] != nil {
		t.Errorf("%d keys, the idle one among them: %t", len(r.keys), r.keys["idle"] != nil)
	}
	_ = r.Take("and another")
	if len(r.keys) > maxRated {
		t.Errorf("%d keys", len(r.keys))
	}
}
