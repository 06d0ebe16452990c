package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

var update = flag.Bool("update", false, "write the golden files")

// everything is an entry with each fact once and each member of it set.
func everything() *Entry {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	by := Actor{User: "ann", AccessKey: "AKIAEXAMPLE", Address: "192.0.2.1"}
	cache := &wire.CachePolicyConfig{Name: wire.Ptr("c")}
	request := &wire.OriginRequestPolicyConfig{Name: wire.Ptr("r")}
	return &Entry{
		Epoch: "0e", Seq: 7, ID: "07", Prev: "06", Time: at,
		Facts: []Fact{
			{DistributionPut: &DistributionPut{ID: "E1", DomainName: "d1.cdn.localhost", ETag: "E2", LastModified: at,
				Config: &wire.DistributionConfig{Comment: wire.Ptr("a <b> & c")}, Tags: map[string]string{"k": "v"},
				CachePolicies:         map[string]*wire.CachePolicyConfig{"p1": cache},
				OriginRequestPolicies: map[string]*wire.OriginRequestPolicyConfig{"p2": request}, By: by}},
			{DistributionDeleted: &DistributionDeleted{ID: "E1", By: by}},
			{Invalidated: &Invalidated{DistributionID: "E1", InvalidationID: "I1", CallerReference: "ref",
				Items: []string{"/images/*", "#tag"}, CreateTime: at, Comment: "why", By: by,
				Accepted: at, Plan: &Plan{At: at}}},
			{Scheduled: &Scheduled{DistributionID: "E1", InvalidationID: "I2", CallerReference: "ref2", Items: []string{"/a"}, CreateTime: at, Comment: "why",
				Plan: Plan{When: &Condition{URL: "https://origin.example.com/v", Field: "ETag", Value: "v2"}}, By: by}},
			{Withdrawn: &Withdrawn{DistributionID: "E1", InvalidationID: "I2", Time: at, By: by}},
			{CachePolicyPut: &CachePolicyPut{ID: "p1", ETag: "E3", LastModified: at, Config: cache, By: by}},
			{CachePolicyDeleted: &PolicyDeleted{ID: "p1", By: by}},
			{OriginRequestPolicyPut: &OriginRequestPolicyPut{ID: "p2", ETag: "E4", LastModified: at, Config: request, By: by}},
			{OriginRequestPolicyDeleted: &PolicyDeleted{ID: "p2", By: by}},
			{EdgeJoined: &EdgeJoined{Edge: "FRA50-1", Location: "FRA50", Incarnation: "i1", Address: "192.0.2.1:4444"}},
			{EdgeLeft: &EdgeLeft{Edge: "FRA50-1", Incarnation: "i1"}},
			{Completed: &Completed{UpTo: 6, At: at, Edges: []EdgeApplied{{Edge: "FRA50-1", Location: "FRA50", At: at}}}},
			{Tick: &Tick{}},
			{EdgeInvited: &EdgeInvited{Token: "t1", Hash: "5e", Edge: "FRA50-1", Location: "FRA50", Expires: at, By: by}},
			{EdgeAdmitted: &EdgeAdmitted{Token: "t1", Edge: "FRA50-1", Location: "FRA50", Serial: "4a"}},
			{EdgeRemoved: &EdgeRemoved{Edge: "FRA50-1", By: by}},
			{PlacePut: &PlacePut{Place: "FRA50", Parent: "LHR50", Regions: []string{"eu-central-1"}, By: by}},
			{PlaceDeleted: &PlaceDeleted{Place: "FRA50", By: by}},
			{AccessChanged: &AccessChanged{Action: "CreateUser", Resource: "user/anna", By: by}},
			{Forgotten: &Forgotten{DistributionID: "E1"}},
		},
	}
}

// The stored form: a name, once written, keeps its meaning for ever. This file may only grow.
func TestCodec_Golden(t *testing.T) {
	const name = "testdata/entry.json"
	e := everything()
	if n := reflect.TypeFor[Fact]().NumField(); len(e.Facts) != n {
		t.Errorf("%d of %d kinds of facts are in the golden entry", len(e.Facts), n)
	}
	got, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(name, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.TrimSpace(want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	back, err := Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, e) {
		t.Errorf("decoded %+v", back)
	}
}

func TestCodec_Damaged(t *testing.T) {
	for name, b := range map[string]string{
		"nothing":      ``,
		"cut off":      `{"Epoch":"e","Seq":1,"ID":"i`,
		"no number":    `{"Epoch":"e","ID":"i"}`,
		"no id":        `{"Epoch":"e","Seq":1}`,
		"no epoch":     `{"Seq":1,"ID":"i"}`,
		"unknown fact": `{"Epoch":"e","Seq":1,"ID":"i","Facts":[{"Frobnicated":{}}]}`,
		"empty fact":   `{"Epoch":"e","Seq":1,"ID":"i","Facts":[{}]}`,
		"two in one":   `{"Epoch":"e","Seq":1,"ID":"i","Facts":[{"Tick":{},"EdgeLeft":{}}]}`,
		"two entries":  `{"Epoch":"e","Seq":1,"ID":"i"}{}`,
	} {
		if e, err := Decode([]byte(b)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, e := range usuals() {
		b, err := Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(anAck))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, ok := usualAck(b); ok {
			var slow Ack
			if err := json.Unmarshal(b, &slow); err != nil || !reflect.DeepEqual(a, slow) {
				t.Fatalf("read in passing as %+v; it is %+v, %v", a, slow, err)
			}
		}
		if e := usual(b); e != nil {
			if slow, err := decode(b); err != nil || !reflect.DeepEqual(e, slow) {
				t.Fatalf("read in passing as %+v; it is %+v, %v", e, slow, err)
			}
		}
		e, err := Decode(b)
		if err != nil {
			return
		}
		if edge, err := DecodeForEdge(b); err != nil || !reflect.DeepEqual(edge, withoutRows(t, b)) {
			t.Fatalf("an edge reads %+v, %v", edge, err)
		}
		again, err := Encode(e)
		if err != nil {
			t.Skip(err) // too large, or a time beyond year 9999
		}
		if _, err := Decode(again); err != nil {
			t.Fatalf("%v: %s", err, again)
		}
	})
}

// withoutRows is an entry as Decode reads it, but for what edges leave out.
func withoutRows(t *testing.T, b []byte) *Entry {
	e, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range e.Facts {
		if f.Completed != nil {
			f.Completed.Edges = nil
		}
	}
	return e
}

// An edge reads what anybody does but for the rows of receipts, in whatever spelling.
func TestDecodeForEdge_LeavesOutRowsAlone(t *testing.T) {
	for _, e := range append(usuals(), everything()) {
		b, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		spaced := bytes.ReplaceAll(b, []byte(`":`), []byte(`": `))
		for _, b := range [][]byte{b, spaced} {
			if got, err := DecodeForEdge(b); err != nil || !reflect.DeepEqual(got, withoutRows(t, b)) {
				t.Errorf("%s\nread as %+v, %v", b, got, err)
			}
		}
		for i := range b {
			if got, err := DecodeForEdge(b[:i]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s\nread as %+v, %v", b[:i], got, err)
			}
		}
	}
	rows := Completed{UpTo: 1}
	for range CompletedEdges {
		rows.Edges = append(rows.Edges, EdgeApplied{Edge: "FRA50-1", Location: "FRA50", At: time.Unix(1, 0).UTC()})
	}
	b, err := Encode(&Entry{Epoch: "e", Seq: 1, ID: "i", Facts: []Fact{{Completed: &rows}}})
	if err != nil {
		t.Fatal(err)
	}
	few := testing.AllocsPerRun(10, func() { DecodeForEdge(b) })
	if many := testing.AllocsPerRun(10, func() { Decode(b) }); few > 10 || many < CompletedEdges {
		t.Errorf("%v allocations for an edge, %v for others", few, many)
	}
}

func TestPosition_Judge(t *testing.T) {
	at := Position{"e", 5, "i5"}
	for name, c := range map[string]struct {
		at   Position
		e    Entry
		want Verdict
	}{
		"next":             {at, Entry{Epoch: "e", Seq: 6, ID: "i6", Prev: "i5"}, Next},
		"genesis":          {Position{}, Entry{Epoch: "e", Seq: 1, ID: "i1"}, Next},
		"no genesis":       {Position{}, Entry{Epoch: "e", Seq: 1, ID: "i1", Prev: "i0"}, Broken},
		"gap at the start": {Position{}, Entry{Epoch: "e", Seq: 2, ID: "i2", Prev: "i1"}, Gap},
		"number zero":      {Position{}, Entry{Epoch: "e", ID: "i0"}, Broken},
		"itself":           {at, Entry{Epoch: "e", Seq: 5, ID: "i5", Prev: "i4"}, Old},
		"another itself":   {at, Entry{Epoch: "e", Seq: 5, ID: "x5", Prev: "i4"}, Broken},
		"older":            {at, Entry{Epoch: "e", Seq: 2, ID: "i2", Prev: "i1"}, Old},
		"gap":              {at, Entry{Epoch: "e", Seq: 7, ID: "i7", Prev: "i6"}, Gap},
		"other chain":      {at, Entry{Epoch: "e", Seq: 6, ID: "i6", Prev: "x5"}, Broken},
		"other life":       {at, Entry{Epoch: "f", Seq: 6, ID: "i6", Prev: "i5"}, Broken},
		"other life, gap":  {at, Entry{Epoch: "f", Seq: 9, ID: "i9", Prev: "i8"}, Broken},
		"no id":            {at, Entry{Epoch: "e", Seq: 6, Prev: "i5"}, Broken},
	} {
		if v := c.at.Judge(&c.e); v != c.want {
			t.Errorf("%s: %v, not %v", name, v, c.want)
		}
	}
}

func TestSeqOf(t *testing.T) {
	golden, err := Encode(everything())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]uint64{
		string(golden): 7,
		`{"Epoch":"e","Seq":18446744073709551615,"ID":"i"}`: 1<<64 - 1,
		`{"Epoch":"e","Seq":9223372036854775808,"ID":"i"}`:  1 << 63,
		`{"Epoch":"e\"x","Seq":12,"ID":"i"}`:                12,
		`{"Epoch":"\",\"Seq\":3,","Seq":12,"ID":"i"}`:       12,
		`{ "Epoch": "e", "Seq": 12, "ID": "i" }`:            12,
		`{"ID":"i","Seq":12,"Epoch":"e"}`:                   12,
		`{"Epoch":"e","Seq":1,"ID":"i","Facts":[]}`:         1,
		`{"Epoch":"e","Seq":18446744073709551616,"ID":"i"}`: 0,
		`{"Epoch":"e","Seq":99999999999999999999,"ID":"i"}`: 0,
		`{"Epoch":"e","Seq":-1,"ID":"i"}`:                   0,
		`{"Epoch":"e","Seq":`:                               0,
		`{"Epoch":"e","Seq":1`:                              0,
		`{"Epoch":"e`:                                       0,
		``:                                                  0,
		`{"Epoch":"e","Seq":,"ID":"i"}`:                     0,
		`{"Epoch":"e","Seq":0x12,"ID":"i"}`:                 0,
	} {
		got, err := SeqOf([]byte(text))
		if got != want || err != nil != (want == 0) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
}

const anAck = `{"Edge":"FRA1","Incarnation":"i","Epoch":"e","Seq":7,"ID":"d","At":"2026-11-26T10:43:14.123456789Z"}`

// What an edge writes is read in passing, and means what JSON says; so is what it does not write that way.
func TestDecodeAck(t *testing.T) {
	want := Ack{Edge: "FRA1", Incarnation: "i", Epoch: "e", Seq: 7, ID: "d", At: time.Date(2026, 11, 26, 10, 43, 14, 123456789, time.UTC)}
	if b, err := json.Marshal(want); err != nil || string(b) != anAck {
		t.Fatalf("an edge writes %s, %v", b, err)
	}
	if a, ok := usualAck([]byte(anAck)); !ok || a != want {
		t.Errorf("%+v, %v", a, ok)
	}
	strange := want
	strange.Edge, strange.Seq = "München\"", math.MaxUint64
	b, err := json.Marshal(strange)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := usualAck(b); ok {
		t.Errorf("read in passing: %s", b)
	}
	if a, err := DecodeAck(b); err != nil || a != strange {
		t.Errorf("%+v, %v", a, err)
	}
	for _, bad := range []string{"", "{", anAck + "x", anAck[:len(anAck)-1], `{"Seq":-1}`, `{"At":"now"}`} {
		if a, err := DecodeAck([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, a)
		}
	}
}
