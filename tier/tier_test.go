package tier

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
)

func TestMap_Above(t *testing.T) {
	m := (*Map)(nil).
		WithPlace(Place{Name: "FRA50", Parent: "LHR50"}).
		WithPlace(Place{Name: "LHR50", Parent: "IAD89", Regions: []string{"eu-west-2"}}).
		WithEdge(Edge{"NRT57-1", "NRT57", "x:1"})
	for _, c := range []struct{ place, region, want string }{
		{"FRA50", "", "LHR50 IAD89"},
		{"LHR50", "", "IAD89"},
		{"IAD89", "", ""},
		{"GRU3", "", ""},
		{"FRA50", "eu-west-2", "LHR50"},
		{"LHR50", "eu-west-2", ""},
		{"IAD89", "eu-west-2", "LHR50"},
		{"GRU3", "eu-west-2", "LHR50"},
		{"FRA50", "ap-northeast-1", "LHR50 IAD89 NRT57"}, // by the airport in its name
		{"NRT57", "ap-northeast-1", ""},
		{"FRA50", "eu-west-1", "LHR50 IAD89"}, // nobody serves it
	} {
		if got := strings.Join(m.Above(c.place, c.region), " "); got != c.want {
			t.Errorf("above %s with %q: %q, want %q", c.place, c.region, got, c.want)
		}
	}
	m = m.WithoutPlace("FRA50").WithoutEdge("NRT57-1", "NRT57")
	if got := m.Above("FRA50", "ap-northeast-1"); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if got := (*Map)(nil).Above("FRA50", "eu-west-1"); got != nil || !(*Map)(nil).Alone("FRA50-1", "FRA50") {
		t.Errorf("%q", got)
	}
}

func TestMap_Check(t *testing.T) {
	m := (*Map)(nil).WithPlace(Place{Name: "A", Parent: "B"}).WithPlace(Place{Name: "B", Parent: "C", Regions: []string{"eu-west-1"}})
	for _, c := range []struct {
		p    Place
		want string
	}{
		{Place{Name: "C", Parent: "A"}, "circle: A → B → C → A"},
		{Place{Name: "C", Parent: "C"}, "circle"},
		{Place{Name: "C", Parent: "D"}, ""},
		{Place{Name: "B"}, ""},
		{Place{Name: "C", Regions: []string{"eu-west-1"}}, "served by B already"},
		{Place{Name: "B", Regions: []string{"eu-west-1", "eu-west-2"}}, ""},
		{Place{Name: "C", Regions: []string{"moon-1"}}, "no Origin Shield region"},
	} {
		if err := m.Check(c.p); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.p, err, c.want)
		}
	}
	m = nil
	for i := range MaxDepth {
		m = m.WithPlace(Place{Name: fmt.Sprint(i), Parent: fmt.Sprint(i + 1)})
	}
	if err := m.Check(Place{Name: fmt.Sprint(MaxDepth), Parent: "top"}); err == nil {
		t.Error("more places above one than may be")
	}
}

// A lost machine costs only its share, and every share is about as large.
func TestMap_RankedIsRendezvous(t *testing.T) {
	var m *Map
	const edges, keys = 5, 2000
	for i := range edges {
		m = m.WithEdge(Edge{fmt.Sprintf("FRA50-%d", i), "FRA50", "x:1"})
	}
	less := m.WithoutEdge("FRA50-3", "FRA50")
	share := map[string]int{}
	for i := range keys {
		key := fmt.Appendf(nil, "/%d", i)
		all, rest := m.Ranked("FRA50", key), less.Ranked("FRA50", key)
		if len(all) != edges {
			t.Fatalf("%d edges", len(all))
		}
		share[all[0].Name]++
		want := slices.DeleteFunc(slices.Clone(all), func(e Edge) bool { return e.Name == "FRA50-3" })
		if !slices.Equal(rest, want) {
			t.Fatalf("%s: %v without one of %v", key, rest, all)
		}
	}
	for name, n := range share {
		if n < keys/edges*3/4 || n > keys/edges*5/4 {
			t.Errorf("%s owns %d of %d keys", name, n, keys)
		}
	}
}

// Every region has an airport by which places are found.
func TestMap_Regions(t *testing.T) {
	for _, r := range distribution.ShieldRegions {
		if len(airports[r]) == 0 {
			t.Errorf("%s has no airport", r)
		}
	}
	if len(airports) != len(distribution.ShieldRegions) {
		t.Errorf("%d airports for %d regions", len(airports), len(distribution.ShieldRegions))
	}
}

func sampleAsk() *Ask {
	return &Ask{
		Epoch: "e", Least: 7, Distribution: "E1", Revision: 3, Youngest: 5, Through: []string{"FRA50-1"}, ID: "id==",
		Request: message.Request{Method: "GET", Path: "/a%20b", Query: "x=&y=%3C", HasQuery: true, Host: "h", Scheme: "https", Major: 2,
			Fields: message.Fields{{Name: "Accept", Value: "*/*"}, {Name: "X-Any", Value: "\x80\xff é"}}},
	}
}

func TestWire_CarriesAnyOctets(t *testing.T) {
	a := sampleAsk()
	a.Request.Path = "/a%20b"
	b, err := a.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeAsk(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, a) {
		t.Errorf("%+v\nwant %+v", back, a)
	}
	h := &Head{Status: 200, Length: -1, Fields: message.Fields{{Name: "X", Value: "\xe9t\xe9"}}, Tags: []string{"r\xe9d"}, Origin: "o"}
	if b, err = h.encode(); err != nil {
		t.Fatal(err)
	}
	if got, err := decodeHead(b); err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWire_RefusesWhatIsNoQuestion(t *testing.T) {
	for name, spoil := range map[string]func(a *Ask){
		"method":      func(a *Ask) { a.Request.Method = "POST" },
		"path":        func(a *Ask) { a.Request.Path = "a" },
		"line in it":  func(a *Ask) { a.Request.Path = "/a HTTP/1.1" },
		"query":       func(a *Ask) { a.Request.Query = "a b" },
		"field":       func(a *Ask) { a.Request.Fields = message.Fields{{Name: "X", Value: "1\r\nY: 2"}} },
		"field name":  func(a *Ask) { a.Request.Fields = message.Fields{{Name: ":slice", Value: "1"}} },
		"nobody asks": func(a *Ask) { a.Through = nil },
		"of nothing":  func(a *Ask) { a.Distribution = "" },
		"negative":    func(a *Ask) { a.Youngest = -1 },
	} {
		a := sampleAsk()
		a.Request.Path, a.Request.Query = "/a", ""
		spoil(a)
		b, err := a.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeAsk(b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, h := range []Head{{Status: 100}, {Status: 1000}, {Status: 200, Length: -2}, {Status: 200, Began: -1},
		{Status: 200, Fields: message.Fields{{Name: "X Y", Value: ""}}}} {
		b, err := h.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeHead(b); err == nil {
			t.Errorf("%+v: taken", h)
		}
	}
}

func FuzzAsk(f *testing.F) {
	b, err := sampleAsk().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAsk(b)
		if err != nil {
			return
		}
		again, err := a.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeAsk(again)
		if err != nil || !reflect.DeepEqual(back, a) {
			t.Fatalf("%+v\nbecame %+v, %v", a, back, err)
		}
	})
}

func FuzzHead(f *testing.F) {
	for _, h := range []*Head{{Status: 200, Length: 3, Fields: message.Fields{{Name: "X", Value: "\xff"}}, Tags: []string{"a"}}, {Refused: Behind}, {Failure: "origin-closed", Retry: 3}} {
		b, err := h.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHead(b)
		if err != nil {
			return
		}
		again, err := h.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeHead(again)
		if err != nil || !reflect.DeepEqual(back, h) {
			t.Fatalf("%+v\nbecame %+v, %v", h, back, err)
		}
	})
}
