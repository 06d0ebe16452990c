package httpserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// told answers with all that a handler is told.
func told(_ context.Context, w ResponseWriter, r *Request) {
	body, err := io.ReadAll(r.Body)
	text := fmt.Sprintf("{%s %s %s?%s %v host=%s:%s len=%d body=%s err=%v", r.Method, r.Scheme, r.Path, r.Query, r.HasQuery, r.Host, r.Port, r.ContentLength, body, err)
	for _, f := range r.Fields {
		text += " " + f.Name + "=" + f.Value
	}
	w.Begin(200, nil, -1)
	io.WriteString(w, text+"}")
}

// asked are the fields of an ordinary request, with others in the place of those of the same name; one
// without "=" goes.
func asked(changes ...string) []byte {
	all := []string{":method=GET", ":scheme=https", ":authority=a.test", ":path=/p"}
	var more []string
	for _, c := range changes {
		name, _, set := strings.Cut(c, "=")
		at := -1
		for i := range all {
			if strings.HasPrefix(all[i], name+"=") {
				at = i
			}
		}
		switch {
		case at < 0:
			more = append(more, c)
		case set:
			all[at] = c
		default:
			all = append(all[:at:at], all[at+1:]...)
		}
	}
	return headers(append(all, more...)...)
}

const (
	bad   = "status=400 "
	frame = "closed 0x105"
)

func TestH3_Strict(t *testing.T) {
	v := serveH3(t, &Server{Handler: handlerFunc(told), Limits: Limits{MaxURI: 100, MaxHeader: 1000}})
	unknown := func(n int) []byte {
		return append(h3.AppendFrame(nil, 0x21, uint64(n)), bytes.Repeat([]byte("u"), n)...)
	}
	for name, c := range map[string]struct {
		send []byte
		want string // what the answer begins with, or contains from "…" on
	}{
		"plain":                        {asked(), "status=200 {GET https /p? false host=a.test: len=0 body= err=<nil> Host=a.test}"},
		"query":                        {asked(":path=/p?"), "…/p? true"},
		"target with odd octets":       {asked(":path=//a/../%2e;x|\"<>^`{}\\?a?b"), "…//a/../%2e;x|\"<>^`{}\\?a?b true"},
		"authority with port":          {asked(":authority=A.test:8443"), "…host=a.test:8443"},
		"IPv6":                         {asked(":authority=[::1]:1"), "…host=[::1]:1"},
		"Host instead":                 {asked(":authority", "host=b.test"), "…host=b.test: len=0 body= err=<nil> Host=b.test}"},
		"Host beside":                  {asked("host=a.test"), "…err=<nil> Host=a.test}"},
		"Host in another case":         {asked("host=A.test"), "…err=<nil> Host=a.test}"},
		"cookie crumbs":                {asked("cookie=a=1", "x=y", "cookie=b=2"), "…cookie=a=1; b=2 x=y}"},
		"empty crumb":                  {asked("cookie=a=1", "cookie="), "…cookie=a=1;}"},
		"obs-text":                     {asked("x=\xff"), "…x=\xff}"},
		"empty value":                  {asked("x="), "…x=}"},
		"te trailers":                  {asked("te=trailers"), "…te=trailers}"},
		"OPTIONS *":                    {asked(":method=OPTIONS", ":path=*"), "…OPTIONS https *?"},
		"any method":                   {asked(":method=M-SEARCH"), "…{M-SEARCH "},
		"unknown frames":               {append(unknown(10), append(asked(), unknown(0)...)...), "status=200 "},
		"body":                         {append(asked(":method=POST", "content-length=3"), append(data("a"), data("bc")...)...), "…len=3 body=abc err=<nil>"},
		"body of unknown length":       {append(asked(":method=POST"), append(append(data("a"), unknown(5)...), data("bc")...)...), "…len=-1 body=abc err=<nil>"},
		"empty DATA is no body":        {append(asked(), data("")...), "…len=0 body= err"},
		"trailers":                     {append(append(asked(":method=POST"), data("a")...), headers("x-t=1")...), "…len=-1 body=a err=<nil> Host=a.test}"},
		"trailers without body":        {append(asked(":method=POST"), headers("x-t=1")...), "…len=0 body= "},
		"expect":                       {append(asked(":method=POST", "expect=100-Continue"), data("a")...), "status=100 status=200 {POST https /p? false host=a.test: len=-1 body=a"},
		"expect something else":        {asked("expect=tea"), "…expect=tea}"},
		"content-length 0":             {asked("content-length=0"), "…len=0 body= err"},
		"GET with a body":              {append(asked(), data("a")...), "…{GET https /p? false host=a.test: len=-1 body=a"},
		"no method":                    {asked(":method"), bad},
		"no scheme":                    {asked(":scheme"), bad},
		"no path":                      {asked(":path"), bad},
		"no host at all":               {asked(":authority"), bad},
		"empty method":                 {asked(":method="), bad},
		"empty path":                   {asked(":path="), bad},
		"empty authority":              {asked(":authority="), bad},
		"empty Host":                   {asked(":authority", "host="), bad},
		"empty authority beside Host":  {asked(":authority=", "host=a.test"), bad},
		"method twice":                 {headers(":method=GET", ":method=GET", ":scheme=https", ":authority=a.test", ":path=/"), bad},
		"path twice":                   {headers(":method=GET", ":scheme=https", ":authority=a.test", ":path=/", ":path=/b"), bad},
		"authority twice":              {headers(":method=GET", ":scheme=https", ":authority=a.test", ":authority=a.test", ":path=/"), bad},
		"pseudo-header behind":         {headers(":method=GET", ":scheme=https", ":authority=a.test", "x=y", ":path=/"), bad},
		"unknown pseudo-header":        {asked(":x=y"), bad},
		"pseudo-header of answers":     {asked(":status=200"), bad},
		"pseudo-header in upper case":  {asked(":path", ":Path=/"), bad},
		"protocol":                     {asked(":protocol=websocket"), bad},
		"CONNECT":                      {headers(":method=CONNECT", ":authority=a.test:443"), bad},
		"CONNECT with all":             {asked(":method=CONNECT"), bad},
		"extended CONNECT":             {asked(":method=CONNECT", ":protocol=websocket"), bad},
		"scheme http":                  {asked(":scheme=http"), bad},
		"scheme in upper case":         {asked(":scheme=HTTPS"), bad},
		"method with a blank":          {asked(":method=GET /x HTTP/1.1"), bad},
		"path with a blank":            {asked(":path=/a b"), bad},
		"path with a version":          {asked(":path=/ HTTP/1.1\r\nX: y"), bad},
		"path with a fragment":         {asked(":path=/#a"), bad},
		"path with obs-text":           {asked(":path=/\xc3\xa4"), bad},
		"path with a tab":              {asked(":path=/\t"), bad},
		"path with NUL":                {asked(":path=/\x00"), bad},
		"path without slash":           {asked(":path=a"), bad},
		"absolute path":                {asked(":path=https://a.test/"), bad},
		"broken escape":                {asked(":path=/%4"), bad},
		"* with GET":                   {asked(":path=*"), bad},
		"*x":                           {asked(":method=OPTIONS", ":path=*x"), bad},
		"userinfo":                     {asked(":authority=u@a.test"), bad},
		"authority with a path":        {asked(":authority=a.test/x"), bad},
		"authority with CR LF":         {asked(":authority=a.test\r\nX: y"), bad},
		"authority with six digits":    {asked(":authority=a.test:123456"), bad},
		"only a port":                  {asked(":authority=:443"), bad},
		"Host differs":                 {asked("host=b.test"), bad},
		"two Hosts":                    {asked("host=a.test", "host=a.test"), bad},
		"upper-case name":              {asked("X=y"), bad},
		"name with a colon":            {asked("x:=y"), bad},
		"name with a blank":            {asked("x y=z"), bad},
		"name with CR LF":              {asked("x\r\ny=z"), bad},
		"name with NUL":                {asked("x\x00=z"), bad},
		"name with obs-text":           {asked("\xe4=z"), bad},
		"no name":                      {asked("=z"), bad},
		"value with CR LF":             {asked("x=y\r\nz: a"), bad},
		"value with LF":                {asked("x=y\nz"), bad},
		"value with CR":                {asked("x=y\rz"), bad},
		"value with NUL":               {asked("x=\x00"), bad},
		"value with DEL":               {asked("x=\x7f"), bad},
		"value that begins with blank": {asked("x= y"), bad},
		"value that ends with a tab":   {asked("x=y\t"), bad},
		"connection":                   {asked("connection=close"), bad},
		"keep-alive":                   {asked("keep-alive=1"), bad},
		"proxy-connection":             {asked("proxy-connection=close"), bad},
		"transfer-encoding":            {asked(":method=POST", "transfer-encoding=chunked"), bad},
		"upgrade":                      {asked("upgrade=websocket"), bad},
		"te gzip":                      {asked("te=gzip"), bad},
		"te trailers and more":         {asked("te=trailers, gzip"), bad},
		"two lengths":                  {append(asked(":method=POST", "content-length=1", "content-length=1"), data("a")...), bad},
		"list of lengths":              {append(asked(":method=POST", "content-length=1, 1"), data("a")...), bad},
		"signed length":                {append(asked(":method=POST", "content-length=+1"), data("a")...), bad},
		"negative length":              {asked(":method=POST", "content-length=-1"), bad},
		"empty length":                 {asked(":method=POST", "content-length="), bad},
		"huge length":                  {asked(":method=POST", "content-length=99999999999999999999"), bad},
		"body too short":               {append(asked(":method=POST", "content-length=3"), data("ab")...), bad},
		"no body":                      {asked(":method=POST", "content-length=3"), bad},
		"body too long":                {append(asked(":method=POST", "content-length=1"), data("ab")...), bad},
		"body too long in two":         {append(asked(":method=POST", "content-length=1"), append(data("a"), data("b")...)...), bad},
		"a body of no octets":          {append(asked("content-length=0"), data("a")...), bad},
		"body ends in a frame":         {append(asked(":method=POST"), data("abc")[:4]...), bad},
		"body ends in a frame's head":  {append(asked(":method=POST"), 0x40), bad},
		"trailers in upper case":       {append(append(asked(":method=POST"), data("a")...), headers("X=1")...), bad},
		"trailers with CR LF":          {append(append(asked(":method=POST"), data("a")...), headers("x=1\r\ny: z")...), bad},
		"trailers with pseudo-header":  {append(append(asked(":method=POST"), data("a")...), headers(":path=/")...), bad},
		"too many trailers":            {append(append(asked(":method=POST"), data("a")...), headers("x="+strings.Repeat("y", maxTrailers))...), bad},
		"frames that mean nothing":     {append(asked(":method=POST"), bytes.Repeat(unknown(1000), 70)...), bad},
		"empty DATA for ever":          {append(asked(":method=POST"), bytes.Repeat(data(""), 40000)...), bad},
		"long target":                  {asked(":path=/" + strings.Repeat("a", 100)), "status=414 "},
		"target just short enough":     {asked(":path=/" + strings.Repeat("a", 99)), "status=200 "},
		"long target in a large head":  {asked(":path=/"+strings.Repeat("a", 100), "x="+strings.Repeat("y", 1000)), "status=414 "},
		"large head":                   {asked("x=" + strings.Repeat("y", 1000)), "status=494 "},
		"many fields":                  {asked(strings.Fields(strings.Repeat("x=yyy ", 150))...), "status=494 "},
		"head too large to look at":    {asked("x=" + strings.Repeat("y", 3000)), "status=494 "},
		"nothing":                      {nil, "cut 0x10d"},
		"half a section":               {asked()[:20], "cut 0x10d"},
		"DATA first":                   {data("abc"), frame},
		"DATA behind trailers":         {append(append(append(asked(":method=POST"), data("a")...), headers("x=1")...), data("b")...), frame},
		"trailers twice":               {append(append(append(asked(":method=POST"), data("a")...), headers("x=1")...), headers("x=1")...), frame},
		"SETTINGS":                     {h3.AppendSettings(nil, 1), frame},
		"GOAWAY behind":                {append(asked(":method=POST"), h3.AppendFrame(nil, h3.GoAway, 0)...), frame},
		"PUSH_PROMISE":                 {append(asked(":method=POST"), h3.AppendFrame(nil, h3.PushPromise, 0)...), frame},
		"a frame of HTTP/2":            {append(asked(":method=POST"), h3.AppendFrame(nil, 0x8, 0)...), frame},
		"a table":                      {append(h3.AppendFrame(nil, h3.Headers, 3), 1, 0, 0x80), "closed 0x200"},
		"a table in trailers":          {append(append(asked(":method=POST"), data("a")...), append(h3.AppendFrame(nil, h3.Headers, 3), 1, 0, 0x80)...), "closed 0x200"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, v.conn(), c.send)
			rest, within := strings.CutPrefix(c.want, "…")
			if within && !(strings.HasPrefix(got, "status=200 ") && strings.Contains(got, rest)) || !within && !strings.HasPrefix(got, rest) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// What a refused request leaves behind does not touch the next one on the connection.
func TestH3_ARefusalIsOneStreams(t *testing.T) {
	v := serveH3(t, &Server{Handler: handlerFunc(told)})
	c := v.conn()
	for range 3 {
		if got := ask(t, c, asked("connection=close")); !strings.HasPrefix(got, bad) || !strings.Contains(got, ReasonMalformed) {
			t.Errorf("refusal: %q", got)
		}
		if got := ask(t, c, asked(":method=HEAD", "te=x")); got != strings.Split(got, " content-length")[0]+" content-length=35 " || !strings.HasPrefix(got, bad) {
			t.Errorf("refusal of a HEAD: %q", got)
		}
		if got := ask(t, c, asked()); !strings.HasPrefix(got, "status=200 ") {
			t.Errorf("the next: %q", got)
		}
	}
}

// Whatever is accepted in HTTP/3 can be written down in HTTP/1.1, and is read there as the same.
func FuzzSection_IsARequestInHTTP11(f *testing.F) {
	for _, seed := range [][]byte{
		asked(), asked(":path=/a%20?b", "cookie=a", "cookie=b", "x=y"), asked(":method=OPTIONS", ":path=*"), asked(":authority", "host=b:1"),
		asked(":method=POST", "content-length=3", "te=trailers"), asked("x=\r\n"), asked("cookie=a", "cookie="),
	} {
		f.Add(seed[5:])
	}
	limits := Limits{}.withDefaults()
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var s section
		var r Request
		no, err := s.read3(encoded, &r, &limits)
		if err != nil || no.status != 0 {
			return
		}
		var text bytes.Buffer
		fmt.Fprintf(&text, "%s %s HTTP/1.1\r\n", r.Method, r.URI())
		for _, x := range r.Fields {
			fmt.Fprintf(&text, "%s: %s\r\n", x.Name, x.Value)
		}
		text.WriteString("\r\n")
		var p parser
		if no := p.parse(text.Bytes(), limits.MaxURI); no.status != 0 {
			t.Fatalf("%q is refused in HTTP/1.1: %v", text.String(), no)
		}
		q := &p.req
		if q.Method != r.Method || q.Path != r.Path || q.Query != r.Query || q.HasQuery != r.HasQuery || q.Host != r.Host || q.Port != r.Port || !sameFields(q.Fields, r.Fields) {
			t.Errorf("%q is read as %+v, not %+v", text.String(), q.Request, r.Request)
		}
		if p.length != max(s.length, 0) {
			t.Errorf("%q has a body of %d octets, not %d", text.String(), p.length, s.length)
		}
	})
}

func sameFields(a, b message.Fields) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
