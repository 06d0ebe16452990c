package telemetry

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// An access line has the fields of CloudFront's standard log with their names and in their order, then
// four more; docs/access-log.md says what is in them. Values are encoded as CloudFront does, which makes
// them safe in either format: nothing that a viewer sends can end a value or a line.

// lineNames are the fields. Those with a minus are never known.
var lineNames = strings.Fields(`date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer)
	cs(User-Agent) cs-uri-query -cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol -cs-bytes time-taken
	x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version -fle-status -fle-encrypted-fields
	c-port time-to-first-byte x-edge-detailed-result-type sc-content-type -sc-content-len -sc-range-start -sc-range-end
	cache-behavior-path-pattern primary-distribution-id x-warmfront-reason x-warmfront-origin`)

// AccessLogFormats are the names of the formats: tab-separated lines under a #Fields directive, as
// CloudFront writes them, or a JSON object for each line.
var AccessLogFormats = []string{"w3c", "json"}

var lineFormats = map[string]*lineFormat{"w3c": w3cFormat(), "json": jsonFormat()}

// lineFormat is what stands around the values of a line.
type lineFormat struct {
	head   string   // of a file
	before []string // each value that may be known, with those before it that are not
	end    string
}

func w3cFormat() *lineFormat {
	f := newLineFormat(func(i int, _ string) string {
		if i == 0 {
			return ""
		}
		return "\t"
	}, "\n")
	f.head = "#Version: 1.0\n#Fields: " + strings.ReplaceAll(strings.Join(lineNames, " "), " -", " ") + "\n"
	return f
}

func jsonFormat() *lineFormat {
	return newLineFormat(func(i int, name string) string {
		if i == 0 {
			return `{"` + name + `":"`
		}
		return `","` + name + `":"`
	}, "\"}\n")
}

// newLineFormat puts before's text in front of each value.
func newLineFormat(before func(i int, name string) string, end string) *lineFormat {
	f, text := &lineFormat{end: end}, ""
	for i, name := range lineNames {
		name, unknown := strings.CutPrefix(name, "-")
		if text += before(i, name); unknown {
			text += "-"
			continue
		}
		f.before = append(f.before, text)
		text = ""
	}
	return f
}

// longValue is from where on what a viewer sends in a field is cut; its target is not.
const longValue = 1024

// line appends r's line to b.
func (f *lineFormat) line(b []byte, r *Request, c *lineClock) []byte {
	c.set(r.Time)
	h, p := r.Head, (*[30]string)(f.before)
	var secured message.TLS
	if h.TLS != nil {
		secured = *h.TLS
	}
	b = append(append(b, p[0]...), c.date...)
	b = append(append(b, p[1]...), c.time...)
	b = plain(b, p[2], r.Location)
	b = strconv.AppendInt(append(b, p[3]...), r.BytesOut, 10)
	b = client(append(b, p[4]...), h.Remote.Addr())
	b = encoded(b, p[5], h.Method, longValue)
	b = plain(b, p[6], r.Domain)
	b = encoded(b, p[7], h.Path, len(h.Path))
	b = status(append(b, p[8]...), r.Status)
	b = encoded(b, p[9], h.Fields.Get("Referer"), longValue)
	b = encoded(b, p[10], h.Fields.Get("User-Agent"), longValue)
	b = encoded(b, p[11], h.Query, len(h.Query))
	b = plain(b, p[12], r.Result)
	b = plain(b, p[13], r.ID)
	b = encoded(b, p[14], h.Host, len(h.Host))
	if h.Port != "" {
		b = append(append(b, ':'), h.Port...)
	}
	b = plain(b, p[15], scheme(r))
	b = seconds(append(b, p[16]...), r.Duration)
	b = encoded(b, p[17], h.Fields.Get("X-Forwarded-For"), longValue)
	b = plain(b, p[18], secured.Protocol)
	b = plain(b, p[19], secured.Cipher)
	b = plain(b, p[20], r.Result)
	b = append(append(append(b, p[21]...), "HTTP/"...), byte('0'+h.Major), '.', byte('0'+h.Minor))
	b = strconv.AppendUint(append(b, p[22]...), uint64(h.Remote.Port()), 10)
	b = seconds(append(b, p[23]...), r.FirstByte)
	b = plain(b, p[24], detail(r))
	b = encoded(b, p[25], r.ContentType, longValue)
	b = encoded(b, p[26], r.Behavior, len(r.Behavior))
	b = plain(b, p[27], r.Distribution)
	b = plain(b, p[28], r.Reason)
	b = encoded(b, p[29], r.Origin, len(r.Origin))
	return append(b, f.end...)
}

// plain is for values of ours, which need no encoding.
func plain(b []byte, before, v string) []byte {
	if v == "" {
		v = "-"
	}
	return append(append(b, before...), v...)
}

func client(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, '-')
	}
	return a.AppendTo(b)
}

// status has three digits; 000 says that the viewer left before there was one.
func status(b []byte, s int) []byte {
	return append(b, byte('0'+s/100%10), byte('0'+s/10%10), byte('0'+s%10))
}

// seconds has three decimals.
func seconds(b []byte, d time.Duration) []byte {
	ms := (max(d, 0) + time.Millisecond/2) / time.Millisecond
	b = strconv.AppendInt(b, int64(ms/1000), 10)
	ms %= 1000
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

const hexDigits = "0123456789ABCDEF"

// unsafe are the octets that CloudFront encodes: controls and the blank, all that is not ASCII, and some that
// mean something to somebody.
var unsafe = func() (t [256]bool) {
	for c := range t {
		t[c] = c <= ' ' || c >= 127 || strings.IndexByte("<>\"#%{}|\\^~[]`'", byte(c)) >= 0
	}
	return t
}()

// encoded is for values of others, of which it takes most octets.
func encoded(b []byte, before, v string, most int) []byte {
	if b = append(b, before...); v == "" {
		return append(b, '-')
	}
	v = v[:min(len(v), most)]
	from := 0
	for i := range len(v) {
		if c := v[i]; unsafe[c] {
			b = append(append(b, v[from:i]...), '%', hexDigits[c>>4], hexDigits[c&15])
			from = i + 1
		}
	}
	return append(b, v[from:]...)
}

// details are CloudFront's words for why a request failed.
var details = map[string]string{
	"origin-down": "OriginConnectError", "origin-dns": "OriginDnsError", "origin-connect": "OriginConnectError", "origin-connect-timeout": "OriginConnectError",
	"origin-tls": "OriginConnectError", "origin-read-timeout": "OriginReadError", "origin-invalid": "OriginInvalidResponseError",
	"origin-header-too-big": "OriginHeaderTooBigError", "origin-closed": "OriginCommError", "viewer-gone": "ClientHungUpRequest",
	"method-not-allowed": "InvalidRequestMethod", "bad-target": "InvalidRequest", "unexpected-body": "InvalidRequest",
	"malformed-request": "InvalidRequest", "target-too-long": "InvalidRequest", "unknown-version": "InvalidRequest",
	"unknown-coding": "InvalidRequest", "plain-on-https": "InvalidRequest", "malformed-host": "InvalidRequestHeader",
	"header-too-big": "InvalidRequestHeader",
}

// detail is the result, or CloudFront's word for why there was none.
func detail(r *Request) string {
	if r.Aborted {
		return "ClientCommError"
	}
	if r.Result == "Error" {
		if d := details[r.Reason]; d != "" {
			return d
		}
	}
	return r.Result
}

// scheme is what was spoken: a connection that was upgraded is a WebSocket.
func scheme(r *Request) string {
	switch {
	case r.Status != 101:
		return r.Head.Scheme
	case r.Head.Scheme == "https":
		return "wss"
	}
	return "ws"
}

// lineClock remembers how the last second is written.
type lineClock struct {
	second     int64
	date, time string
}

func (c *lineClock) set(t time.Time) {
	if s := t.Unix(); s != c.second || c.date == "" {
		u := t.UTC()
		c.second, c.date, c.time = s, u.Format(time.DateOnly), u.Format(time.TimeOnly)
	}
}
