package journal

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

// usuals are entries of the kinds that come in thousands.
func usuals() []*Entry {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890123456, time.UTC)
	all := []Fact{
		{Invalidated: &Invalidated{DistributionID: "E1", InvalidationID: "I1", CallerReference: "ref", Items: []string{"/a?b&c=<d>", "#tag", "/*"},
			CreateTime: at, Comment: "why", Mode: Stale, By: Actor{User: "ann", AccessKey: "AKIAEXAMPLE", Address: "192.0.2.1"}}},
		{Invalidated: &Invalidated{Items: []string{""}, By: Actor{AccessKey: "AKIAEXAMPLE", Address: "192.0.2.1"}}},
		{Invalidated: &Invalidated{Items: []string{"/"}, By: Actor{User: "ann", Address: "192.0.2.1"}}},
		{Invalidated: &Invalidated{Items: []string{"/"}, By: Actor{AccessKey: "AKIAEXAMPLE"}}},
		{Completed: &Completed{UpTo: 1<<63 - 1, At: at, Edges: []EdgeApplied{{Edge: "FRA50-1", Location: "FRA50", At: at}, {Edge: "FRA50-2", Acked: 7}}}},
		{Completed: &Completed{}},
		{Completed: &Completed{UpTo: 7, At: at, Edges: []EdgeApplied{{Edge: "FRA50-2", Acked: 7}}, Members: 300}},
		{Completed: &Completed{UpTo: 7, At: at, Members: 300}},
		{Tick: &Tick{}},
		{EdgeJoined: &EdgeJoined{Edge: "FRA50-1", Location: "FRA50", Incarnation: "i1", Address: "192.0.2.1:4444", Epoch: "0e", After: 6, AfterID: "06"}},
		{EdgeJoined: &EdgeJoined{Edge: "FRA50-1", After: 6}},
		{EdgeLeft: &EdgeLeft{Edge: "FRA50-1", Incarnation: "i1"}},
	}
	entry := func(facts ...Fact) *Entry {
		return &Entry{Epoch: "0e", Seq: 7, ID: "07", Prev: "06", Time: at, Facts: facts}
	}
	entries := []*Entry{entry(all...)}
	for _, f := range all {
		entries = append(entries, entry(f))
	}
	return entries
}

// What comes in thousands is read without the detour; otherwise this test says that the stored form has changed, and usual has not.
func TestUsual_ReadsWhatEncodeWrites(t *testing.T) {
	for _, e := range usuals() {
		b, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if got := usual(b); !reflect.DeepEqual(got, e) {
			t.Errorf("%s\nread as %+v", b, got)
		}
		for i := range b { // cut off anywhere, it is nothing
			if got := usual(b[:i]); got != nil {
				t.Fatalf("%s\nread as %+v", b[:i], got)
			}
		}
		if got := usual(append(b, ' ')); got != nil {
			t.Errorf("%s\nwith a blank behind it read as %+v", b, got)
		}
	}
}

// What it leaves to the rules of JSON.
func TestUsual_KnowsOneSpelling(t *testing.T) {
	const plain = `{"Epoch":"e","Seq":12,"ID":"i","Prev":"h","Time":"2026-03-04T05:06:07Z","Facts":[{"Invalidated":{"DistributionID":"E1","InvalidationID":"I1",` +
		`"CallerReference":"r","Items":["/a"],"CreateTime":"2026-03-04T05:06:07Z","By":{"User":"ann"}}}]}`
	if usual([]byte(plain)) == nil {
		t.Fatal("not read")
	}
	for _, change := range [][2]string{
		{`"Seq":12`, `"Seq":012`},
		{`"Seq":12`, `"Seq":-12`},
		{`"Seq":12`, `"Seq":1.2e1`},
		{`"Seq":12`, `"Seq":9223372036854775808`},
		{`"Seq":12,"ID":"i"`, `"ID":"i","Seq":12`},
		{`"Seq":12`, `"seq":12`},
		{`"Seq":12`, `"Seq": 12`},
		{`"Seq":12`, `"Seq":12,"Seq":12`},
		{`"r"`, `"\u0072"`},
		{`"r"`, `"\""`},
		{`"r"`, `"ü"`},
		{`"r"`, "\"\x01\""},
		{`"r"`, `null`},
		{`["/a"]`, `[]`},
		{`["/a"]`, `null`},
		{`["/a"]`, `["/a",]`},
		{`["/a"]`, `["/a"],"Where":{"Status":["404"]}`},
		{`"2026-03-04T05:06:07Z","By"`, `"yesterday","By"`},
		{`"By":{"User":"ann"}`, `"Pace":{"Refetch":true},"By":{}`},
		{`"By":{"User":"ann"}`, `"By":{,"User":"ann"}`},
		{`"By":{"User":"ann"}`, `"By":{"User":"ann","User":"bob"}`},
		{`"By":{"User":"ann"}`, `"By":{"Address":"a","User":"ann"}`},
		{`"By":{"User":"ann"}`, `"By":{},"Wave":{"Number":1}`},
		{`}}]}`, `},"Tick":{}}]}`},
		{`}}]}`, `}},{"Withdrawn":{}}]}`},
		{`}}]}`, `}}],"Base":12}`},
	} {
		b := []byte(strings.Replace(plain, change[0], change[1], 1))
		if bytes.Equal(b, []byte(plain)) {
			t.Fatalf("%q is not there", change[0])
		}
		if e := usual(b); e != nil {
			t.Errorf("%s\nread as %+v", b, e)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	e := usuals()[2]
	e.Facts[0].Invalidated.CreateTime = e.Time
	text, err := Encode(e)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		read func([]byte) (*Entry, error)
	}{{"usual", Decode}, {"any", decode}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.read(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
