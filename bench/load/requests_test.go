package load

import (
	"bufio"
	"bytes"
	"math"
	"net/http"
	"testing"
)

func TestGet_IsARequestThatNetHTTPReads(t *testing.T) {
	unit := One(Get("bench.localhost", "/o/1024"), 16).Next()
	b := bufio.NewReader(bytes.NewReader(unit))
	for i := range 16 {
		r, err := http.ReadRequest(b)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if r.Host != "bench.localhost" || r.URL.Path != "/o/1024" || r.Method != "GET" || r.ContentLength != 0 {
			t.Fatalf("request %d: %+v", i, r)
		}
	}
	if b.Buffered() != 0 {
		t.Fatalf("%d octets too many", b.Buffered())
	}
}

func TestRequests_ComeInOrderAndAgain(t *testing.T) {
	r := Many([][]byte{[]byte("a"), []byte("bb"), []byte("ccc")}, []uint32{2, 0, 2, 1})
	got := ""
	for range 6 {
		got += string(r.Next()) + " "
	}
	if got != "ccc a ccc bb ccc a " {
		t.Errorf("in the given order: %q", got)
	}
	if got := string(r.From(0.5).Next()); got != "ccc" {
		t.Errorf("from the middle: %q", got)
	}
	r = Many([][]byte{[]byte("a"), []byte("bb")}, nil)
	if got := string(r.Next()) + string(r.Next()) + string(r.Next()); got != "abba" {
		t.Errorf("one after the other: %q", got)
	}
}

func TestZipf_RanksAreDrawnByTheirInverse(t *testing.T) {
	const n, length = 1000, 1 << 18
	counts := make([]int, n)
	for _, k := range Zipf(n, length) {
		counts[k]++
	}
	most, seen := 0, 0
	for _, c := range counts {
		most = max(most, c)
		if c > 0 {
			seen++
		}
	}
	harmonic := 0.0
	for i := range n {
		harmonic += 1 / float64(i+1)
	}
	want := length / harmonic
	if math.Abs(float64(most)-want) > want/20 {
		t.Errorf("the first was drawn %d times, want about %.0f", most, want)
	}
	if seen < n*99/100 {
		t.Errorf("only %d of %d keys were drawn", seen, n)
	}
}

func TestArrivals_KeepTheRate(t *testing.T) {
	sum, short := 0.0, 0
	gaps := arrivals(10_000)
	for _, g := range gaps {
		if g < 0 {
			t.Fatal("a gap below zero")
		}
		if g < 1 {
			short++
		}
		sum += g
	}
	if math.Abs(sum-10_000) > 1e-6 {
		t.Errorf("10,000 arrivals last %v", sum)
	}
	// Of exponential gaps 1-1/e are shorter than the mean.
	if part := float64(short) / 10_000; math.Abs(part-0.632) > 0.02 {
		t.Errorf("%v of the gaps are short: not independent arrivals", part)
	}
}
