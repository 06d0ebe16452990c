package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/ownapi/client"
)

func parse[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
	return v
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestPrintPreview(t *testing.T) {
	edges := `"edges":[{"edge":"fra-1","objects":2,"bytes":3000},{"edge":"gru-1","objects":0,"bytes":0}]`
	p := parse[client.Preview](t, `{"items":[
		{"item":"/images/*","kind":"Prefix","objects":2,"bytes":3000,"requestsPerMinute":12.5,"originRequests":1.5,`+edges+`,"sample":["/images/a","/images/b","/images/c","/images/\u001b[2J"]},
		{"item":"#x","kind":"Tag","warning":"This distribution has no cache tag header.","objects":0,"bytes":0,"edges":[],"sample":[]},
		{"item":"/~","kind":"","error":{"reason":"tilde","hint":"Put * in its place."},"edges":[],"sample":[]}],
		"total":{"objects":2,"bytes":3000,`+edges+`}}`)
	var out bytes.Buffer
	if err := printPreview(&out, client.Distribution{ID: "E1", DomainName: "d1.localhost"}, p); err != nil {
		t.Fatal(err)
	}
	expect(t, out.String(), `Nothing is invalidated. On E1 (d1.localhost), 3 selectors would drop:

/images/*: 2 objects, 2.9 KiB, asked for 12.5 times a minute: at most 2 requests to the origin in the first
  fra-1  2 objects  2.9 KiB
  gru-1  0 objects  0 B
  for example /images/a, /images/b, /images/c

#x: nothing that is stored
  warning: This distribution has no cache tag header.

/~: refused, tilde
  Put * in its place.

In total, what several selectors match counted once: 2 objects, 2.9 KiB
  fra-1  2 objects  2.9 KiB
  gru-1  0 objects  0 B
`)
	if refused(p) != 1 {
		t.Error("one selector would be refused")
	}
}

func TestPrintExplanation(t *testing.T) {
	x := parse[client.Explanation](t, `{"distributionId":"E1","domainName":"d1.localhost","behavior":{"pathPattern":"/s/*","precedence":0,"origins":["web","mirror"]},
		"cachePolicy":{"id":"658","name":"Managed"},"cacheKey":{"readable":"GET /s/a?x=1"},"subject":{"path":"/s/a","query":"x=1","tags":["news","p:7"]},
		"edges":[{"edge":"fra-1","stored":true,"status":200,"fresh":true,"ageSeconds":61,"bytes":2048,"hits":1200,"stamp":4711,"memory":true,"disk":true,"slices":10,"slicesStored":3,"matchedBy":[]},
			{"edge":"gru-1","stored":false,"matchedBy":[],"through":[{"edge":"fra-1","place":"FRA50"},{"edge":"lhr-1","place":"LHR50"},{"edge":"x","place":"X"}]},
			{"edge":"iad-1","stored":true,"status":200,"fresh":true,"ageSeconds":3,"bytes":10,"hits":0,"memory":true,"matchedBy":[{"invalidationId":"I2","item":"/s/*"}]},
			{"edge":"lhr-1","error":"the edge does not answer","matchedBy":[]},
			{"edge":"nrt-1","stored":true,"status":404,"fresh":false,"second":"mirror","disk":true,"ageSeconds":3,"bytes":10,"hits":0,"matchedBy":[]}],
		"wouldMatch":[{"invalidationId":"I2","item":"/s/*"},{"invalidationId":"I10","item":"#news"}],
		"items":[{"item":"/s/*","kind":"Prefix","matches":true,"edges":["fra-1","iad-1","nrt-1"]},{"item":"/s/a*","kind":"Prefix","matches":true,"edges":["fra-1"]},{"item":"#p","kind":"Tag","warning":"No.","matches":false},{"item":"x","kind":"","error":{"reason":"no-slash","hint":"Begin with /."},"matches":false}]}`)
	until := time.Now().Add(2*time.Hour + 30*time.Second)
	x.Edges[0].FreshUntil = &until
	var out bytes.Buffer
	if err := printExplanation(&out, x); err != nil {
		t.Fatal(err)
	}
	expect(t, out.String(), `Distribution   E1 (d1.localhost)
Behavior       /s/* (precedence 0)
Origin         web, if it fails mirror
Cache policy   Managed (658)
Cache key      GET /s/a?x=1
Selectors see  /s/a?x=1 #news #p:7

EDGE   STORED                               IN                            STATUS  AGE        SIZE     HITS   STAMP
fra-1  fresh for 2 h 0 min                  memory, disk, 3 of 10 slices  200     1 min 1 s  2.0 KiB  1,200  4711
gru-1  no
iad-1  invalidated by I2                    memory                        200     3 s        10 B     0      0
lhr-1  not known: the edge does not answer
nrt-1  stale, from mirror                   disk                          404     3 s        10 B     0      0

What an edge has not, it asks for in this order:
  gru-1  fra-1 (fresh for 2 h 0 min), then lhr-1 (not known), then x (not known), then the origin

Of the last invalidations these match it, newest first:
  I2   /s/*
  I10  #news

An invalidation of
  /s/*   would drop it
  /s/a*  would drop it on fra-1.
  #p     would not. No.
  x      would be refused: no-slash. Begin with /.
`)
	x.WouldMatch, x.Behavior.PathPattern, x.Behavior.Origins, x.CachePolicy, x.Edges, x.Items = nil, "*", nil, nil, nil, nil
	out.Reset()
	if err := printExplanation(&out, x); err != nil {
		t.Fatal(err)
	}
	expect(t, out.String(), `Distribution   E1 (d1.localhost)
Behavior       Default (*)
Cache key      GET /s/a?x=1
Selectors see  /s/a?x=1 #news #p:7

EDGE  STORED  IN  STATUS  AGE  SIZE  HITS  STAMP

None of the last invalidations matches it.
`)
}

func TestPrintHistory(t *testing.T) {
	all := *parse[[]client.Past](t, `[
		{"distributionId":"E1","id":"I2","status":"InProgress","createTime":"2026-05-14T12:00:01Z","completedTime":null,"items":["/a","/b","/c","/d"],"by":{"user":"anna","accessKey":"WF1","address":"192.0.2.1"}},
		{"distributionId":"E22","id":"I1","status":"Completed","createTime":"2026-05-14T12:00:00Z","completedTime":"2026-05-14T12:00:00.031Z","tookMs":31,"comment":"ticket 7","items":["#news"],"by":{"user":"","accessKey":"","address":""}}]`)
	var out bytes.Buffer
	if err := printHistory(&out, all, true); err != nil {
		t.Fatal(err)
	}
	here := func(i int) string { return all[i].CreateTime.Local().Format(dateTime) }
	expect(t, out.String(), `ID  DISTRIBUTION  STATUS      CREATED              TOOK   BY          FROM       SELECTORS
I2  E1            InProgress  `+here(0)+`  -      anna (WF1)  192.0.2.1  /a, /b, /c and 1 more
I1  E22           Completed   `+here(1)+`  31 ms  -           -          #news  ticket 7
`)
	out.Reset()
	if err := printHistory(&out, all[1:], false); err != nil {
		t.Fatal(err)
	}
	expect(t, out.String(), `ID  STATUS     CREATED              TOOK   BY  FROM  SELECTORS
I1  Completed  `+here(1)+`  31 ms  -   -     #news  ticket 7
`)
	out.Reset()
	later := all[1].CreateTime.Add(time.Hour)
	all[1].Plan = &client.Plan{InForce: &later}
	if err := printHistory(&out, all[1:], false); err != nil {
		t.Fatal(err)
	}
	if want := "#news  in force since " + later.Local().Format(dateTime) + "  ticket 7\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("%s does not end with %s", &out, want)
	}
	out.Reset()
	if err := printHistory(&out, nil, false); err != nil {
		t.Fatal(err)
	}
	expect(t, out.String(), "There are no invalidations.\n")
}

func TestPrintStatus(t *testing.T) {
	s := parse[status](t, `{"endpoint":"http://127.0.0.1:9000","version":"v1",
		"control":[{"name":"c1","version":"v1","position":1207,"ready":false,"problem":"the disk is full","journal":{"entries":456,"base":1000,"bytes":9,"compacted":null}},
			{"name":"c2","ready":true,"leads":true}],"doubt":{"since":"2026-05-14T11:59:00Z","until":"2026-05-14T11:59:32Z","unheard":0,"edges":[]},
		"places":[{"place":"FRA50","parent":"","edges":1},{"place":"GRU3","parent":"FRA50","edges":0}],"edges":[
		{"edge":"fra-1","location":"FRA50","version":"v1","hitRatio":0.9999,"applied":1207,"behind":0,"lease":"fresh","ready":true,"cache":{"objects":12345,"bytes":7000000,"capacity":268435456,"evictions":0}},
		{"edge":"gru-1","location":"","applied":1007,"behind":200,"lease":"expired","leaseAgeMs":65000,"ready":false,"cache":{}}]}`)
	s.Traffic = &traffic{Minutes: 5, Requests: 1500, RequestsPerSecond: 5.25, OriginRequests: 12, hits: 1400, misses: 7}
	var out bytes.Buffer
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	expect(t, out.String(), `Warmfront v1 at http://127.0.0.1:9000, 2 edges

NODE   ROLE            LOCATION  VERSION  READY  LEASE                  APPLIED  BEHIND  HITS    OBJECTS  CACHED   FILL   EVICTED
c1     control         -         v1       no     -                      1207
c2     control, leads  -         -        yes    -                      -
fra-1  edge            FRA50     v1       yes    fresh                  1207     0       99.9 %  12,345   6.7 MiB  2.6 %  0
gru-1  edge            -         -        no     expired 1 min 5 s ago  1007     200     -       0        0 B      -      0
c1: the disk is full
The journal is doubted since `+s.Doubt.Since.Local().Format(dateTime)+`: it was restored, copied, or opened in spite of a loss.
Invalidations are Completed by time alone, after 32s; this ends at `+s.Doubt.Until.Local().Format(dateTime)+`, when what edges were allowed before has run out

PLACE  FILLS THROUGH  EDGES
FRA50  the origin     1
GRU3   FRA50          0

Traffic: 5.2 requests a second; last 5 minutes: 1,500 requests, hit ratio 99.5 %, 12 to origins
Journal: 456 entries, compacted up to entry 1,000
`)
	at := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s.Control[0].Journal = &client.JournalExtent{Entries: 1, Base: 7, Compacted: &at}
	if got := journalLine(s.Control); len(got) != 1 || got[0] != "Journal: 1 entry, compacted up to entry 7 on "+at.Local().Format(dateTime) {
		t.Error(got)
	}
	s.Control[0].Journal = &client.JournalExtent{Entries: 2, Uncompacted: "it may not"}
	if got := journalLine(s.Control); len(got) != 1 || got[0] != "Journal: 2 entries; not compacted while it runs, and grows: it may not" {
		t.Error(got)
	}
}

func TestPrintCompacted(t *testing.T) {
	var out bytes.Buffer
	for _, c := range []client.Compacted{{Before: 123456, After: 789, Base: 120001}, {Before: 1, After: 1}, {Base: 2001}} {
		if err := printCompacted(&out, c, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := printCompacted(&out, client.Compacted{Before: 2, After: 2}, true); err != nil { // --keep 0s
		t.Fatal(err)
	}
	expect(t, out.String(), `The journal had 123,456 entries; compacted, it has 789. From entry 120,001 on it is whole.
Most of what the journal has is needed, or too young; it stays as it is: 1 entry.
Another control node has just compacted the journal. From entry 2,001 on it is whole.
All that the journal has is needed, or as young as --keep says; it stays as it is: 2 entries.
`)
}

func TestTrafficLine(t *testing.T) {
	expect(t, trafficLine(nil), "Traffic is not shown: there are more than 50 distributions; the console shows it for each.")
	expect(t, trafficLine(&traffic{Minutes: 5}), "Traffic: none in the last 5 minutes")
	expect(t, trafficLine(&traffic{Minutes: 5, RequestsPerSecond: 2}), "Traffic: 2.0 requests a second, none before")
	expect(t, trafficLine(&traffic{Minutes: 5, Requests: 1}), "Traffic: 0.0 requests a second; last 5 minutes: 1 request, 0 to origins")
}

func TestWatchStatus_DrawsInPlace(t *testing.T) {
	f, s := newTerminal(t, 40, 24)
	c := &connection{}
	for range 3 {
		if err := c.showStatus(s, &status{Endpoint: "http://x", Version: "v1", Traffic: &traffic{Minutes: 5}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.rows) != 7 || f.rows[0] != "Warmfront v1 at http://x, 0 edges" {
		t.Errorf("%s", f.text())
	}
}
