package disk

import (
	"runtime"
	"testing"
	"time"
)

func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("never happened")
		}
	}
}
