package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// attacker makes requests out of what the cases are made of, put together at random.
type attacker struct{ *rand.Rand }

func (a attacker) pick(list ...string) string { return list[a.IntN(len(list))] }

// evil marks whatever a viewer says that nobody else may get.
const evil = "evil-viewer" // no random id has that in it

func (a attacker) value() string {
	return a.pick(evil, "/"+evil, "http://"+evil+".example/", evil+".example", evil+"\t;q=0.1", "gzip, "+evil, "bytes=0-1", "bytes=-1", "bytes=5-2", "bytes=0-"+evil,
		"no-cache", "no-store", "max-age=0, "+evil, `"`+evil+`"`, "*", "", "0", "Sun, 06 Nov 2094 08:49:37 GMT", "chunked", "close", "keep-alive, "+evil,
		"\xff"+evil, strings.Repeat(evil, 500), "websocket", "100-continue", "DELETE", "trailers", "a="+evil+"; b=1", "1.1 a (CloudFront), 1.1 b (CloudFront)")
}

func (a attacker) field() string {
	name := a.pick("X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Original-URL", "X-HTTP-Method-Override", "Forwarded", "Cookie", "Authorization", "Accept",
		"Accept-Encoding", "Accept-Language", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match", "Cache-Control", "Pragma", "Vary", "Connection", "TE",
		"Upgrade", "Expect", "Content-Length", "Content-Type", "Transfer-Encoding", "Via", "CDN-Loop", "X-Amz-Cf-Id", "CloudFront-Viewer-Country", "User-Agent", "Referer",
		"Origin", "Host", "X-Evil", "Trailer", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Date", "Age", "Set-Cookie", "X-Cache", "Content-Encoding", "Request-Range")
	return name + a.pick(": ", ": ", ": ", ":", ":\t", " : ") + a.value() + a.pick("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\n ", "\r")
}

// request is for path, or something that looks like it, more or less.
func (a attacker) request(host, path string) string {
	target := path
	if a.IntN(3) == 0 {
		target = a.pick(path+"?"+evil, path+"?", "http://"+host+path, "http://victim.example"+path, "/"+path, path+"/../"+path[1:], path+"%00"+evil, path+";"+evil,
			path+"#"+evil, path+" "+evil, strings.ToUpper(path), path+"%2f", path+"/.", "*", path+"\x00", path+"%0d%0aX:"+evil)
	}
	var b strings.Builder
	b.WriteString(a.pick("GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "PURGE", "get") + " " + target + a.pick(" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0") + "\r\n")
	if a.IntN(12) > 0 {
		b.WriteString("Host: " + a.pick(host, host, host, host, host, strings.ToUpper(host), host+".", host+":80", "victim.example", evil+".example", "") + "\r\n")
	}
	for range a.IntN(5) {
		b.WriteString(a.field())
	}
	b.WriteString("\r\n")
	if a.IntN(4) == 0 {
		b.WriteString(a.pick(evil, "0\r\n\r\n", "4\r\n"+evil+"\r\n0\r\n\r\n", "GET "+path+"/"+evil+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n"))
	}
	return b.String()
}

// Whatever one viewer sends, the next one's plain request gets what the origin says to a plain request, the
// origin is never told a word of the first one's, and nothing reaches the victim.
func TestBattery_RandomAttackers(t *testing.T) {
	rounds := 1500
	if s := os.Getenv("BATTERY_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	seed := rand.Uint64()
	a := attacker{rand.New(rand.NewPCG(seed, 0))}
	f := newField(t, []string{"optimized", "strict", "paged"})
	reached := 0
	for i := range rounds {
		set := a.pick("optimized", "strict", "paged")
		host, path := set+".example", fmt.Sprintf("/r/%d", i)
		f.manner = overTCP
		if a.IntN(4) == 0 {
			f.manner = overHTTP2
		}
		attack := a.request(host, path)
		if _, ok := inFrames(attack); !ok {
			f.manner = overTCP
		}
		n, err := f.attack(attack, host, path)
		if reached += n; err != nil {
			t.Fatalf("seed %d, round %d, %s: %v\nafter %q", seed, i, f.manner, err, attack)
		}
	}
	if reached < rounds/20 {
		t.Errorf("of %d attacks only %d requests came to the origin: this has tested little", rounds, reached)
	}
	t.Logf("%d attacks, of which %d requests came to the origin", rounds, reached)
	f.sound(t)
}

// attack sends an attack and looks at what comes of it. It returns how many requests came to the origin for it.
func (f *field) attack(attack, host, path string) (reached int, err error) {
	v, err := f.dial(host)
	if err != nil {
		return 0, err
	}
	defer v.close()
	v.send(attack, 1<<20)
	if v.h2 == nil {
		v.c.CloseWrite()
	}
	for { // whatever it gets
		if v.h2 != nil && len(v.h2.waits) == 0 {
			break
		}
		if _, err := v.hear(methodOf(attack, 0)); err != nil {
			break
		}
	}
	seen, err := f.came()
	if err != nil {
		return 0, err
	}
	theirs, err := f.bank.take() // whoever asks for what is the victim's by its name may have it
	if err != nil {
		return 0, err
	}
	for _, q := range append(seen, theirs...) {
		if q.fault != nil {
			return 0, q.fault
		}
		// What is kept of a viewer's are the fields that show the way, and the path.
		for _, x := range append(q.fields, q.body) {
			if name, _, _ := strings.Cut(x, ":"); strings.Contains(lower(x), evil) && !strings.Contains("via cdn-loop x-forwarded-for range", lower(name)) {
				return 0, fmt.Errorf("the origin was told %q", x)
			}
		}
	}
	if err := f.plainly(host, path); err != nil {
		return len(seen), err
	}
	_, err = f.came()
	return len(seen), err
}

// way are the fields that CloudFront passes on, unkeyed, for origins to see through whom a request has come.
var way = regexp.MustCompile(`(?im)^(x-forwarded-for|via|cdn-loop): .*$`)

// plainly asks as every viewer does, and must get what every viewer gets.
func (f *field) plainly(host, path string) error {
	v, err := dialViewer(f.edge)
	if err != nil {
		return err
	}
	defer v.close()
	v.send("GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 1<<20)
	a, err := v.hear("GET")
	if err != nil {
		return err
	}
	said := way.ReplaceAllString(a.text, "") // an origin that repeats it repeats the way that the first one came
	if a.status != 200 || a.cut || !strings.HasPrefix(a.body, "GET "+path+" HTTP/1.1\r\n") || strings.Contains(said, evil) {
		return fmt.Errorf("a plain request gets %q", a.text)
	}
	return nil
}
