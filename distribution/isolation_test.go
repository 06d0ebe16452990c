package distribution

import "testing"

func TestIsolation_WhatIsNotKnownShowsNothing(t *testing.T) {
	for value, want := range map[string]Isolation{
		IsolationRevalidate: Revalidate, IsolationBypass: Bypass, IsolationFail: Fail, IsolationServeStale: ServeStale,
		"": Bypass, "of-next-year": Bypass, "Serve-Stale": Bypass,
	} {
		if got := IsolationOf(map[string]string{TagIsolation: value}); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
	if got := IsolationOf(nil); got != Revalidate {
		t.Errorf("no tag: %d", got)
	}
	if err := ValidateTags(map[string]string{TagIsolation: "of-next-year"}); err == nil {
		t.Error("a policy that there is not was accepted")
	}
}
