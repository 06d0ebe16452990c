package telemetry

import (
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// An access line has the fields of CloudFront's standard log with their names and in their order, then
// three more; docs/access-log.md says what is in them. Values are encoded as CloudFront does, which makes
// them safe in either format: nothing that a viewer sends can end a value or a line.

// lineNames are the fields.
var lineNames = strings.Fields(`date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer)
	cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken
	x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields
	c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end
	cache-behavior-path-pattern primary-distribution-id x-warmfront-reason`)

// AccessLogFormats are the names of the formats: tab-separated lines under a #Fields directive, as
// CloudFront writes them, or a JSON object for each line.
var AccessLogFormats = []string{"w3c", "json"}

var lineFormats = map[string]*lineFormat{"w3c": w3cFormat(), "json": jsonFormat()}

// lineFormat is what stands around the values of a line.
type lineFormat struct {
	head   string   // of a file
	before []string // each value
	end    string
}

func w3cFormat() *lineFormat {
	f := &lineFormat{head: "#Version: 1.0\n#Fields: " + strings.Join(lineNames, " ") + "\n", before: make([]string, len(lineNames)), end: "\n"}
	for i := range f.before[1:] {
		f.before[i+1] = "\t"
	}
	return f
}

func jsonFormat() *lineFormat {
	f := &lineFormat{end: "\"}\n"}
	for i, name := range lineNames {
		before := `","` + name + `":"`
		if i == 0 {
			before = `{"` + name + `":"`
		}
		f.before = append(f.before, before)
	}
	return f
}

// longValue is from where on what a viewer sends in a field is cut; its target is not.
const longValue = 1024

// line appends r's line to b.
func (f *lineFormat) line(b []byte, r *Request, c *lineClock) []byte {
	c.set(r.Time)
	w := lineWriter{b, f.before}
	h := r.Head
	w.plain(c.date)
	w.plain(c.time)
	w.plain(r.Location)
	w.number(r.BytesOut)
	w.client(r)
	w.encoded(h.Method, longValue)
	w.plain(r.Domain)
	w.encoded(h.Path, len(h.Path))
	w.status(r.Status)
	w.field(h, "Referer")
	w.field(h, "User-Agent")
	w.encoded(h.Query, len(h.Query))
	w.plain("") // cookies are logged on request only
	w.plain(r.Result)
	w.plain(r.ID)
	w.host(h)
	w.plain(h.Scheme)
	w.plain("")
	w.seconds(r.Duration)
	w.field(h, "X-Forwarded-For")
	w.plain("")
	w.plain("")
	w.plain(r.Result)
	w.version(h)
	w.plain("")
	w.plain("")
	w.number(int64(h.Remote.Port()))
	w.seconds(r.FirstByte)
	w.plain(detail(r))
	w.encoded(r.ContentType, longValue)
	w.plain("")
	w.plain("")
	w.plain("")
	w.encoded(r.Behavior, len(r.Behavior))
	w.plain(r.Distribution)
	w.plain(r.Reason)
	return append(w.b, f.end...)
}

// lineWriter appends values.
type lineWriter struct {
	b      []byte
	before []string // of the values that are still to come
}

func (w *lineWriter) next() {
	w.b = append(w.b, w.before[0]...)
	w.before = w.before[1:]
}

// plain is for values of ours, which need no encoding.
func (w *lineWriter) plain(v string) {
	w.next()
	if v == "" {
		v = "-"
	}
	w.b = append(w.b, v...)
}

func (w *lineWriter) encoded(v string, most int) {
	w.next()
	w.encode(v, most)
}

func (w *lineWriter) field(h *message.Request, name string) { w.encoded(h.Fields.Get(name), longValue) }

func (w *lineWriter) number(n int64) {
	w.next()
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *lineWriter) client(r *Request) {
	w.next()
	if a := r.Head.Remote.Addr(); a.IsValid() {
		w.b = a.AppendTo(w.b)
	} else {
		w.b = append(w.b, '-')
	}
}

func (w *lineWriter) host(h *message.Request) {
	w.encoded(h.Host, len(h.Host))
	if h.Port != "" {
		w.b = append(append(w.b, ':'), h.Port...)
	}
}

// status has three digits; 000 says that the viewer left before there was one.
func (w *lineWriter) status(s int) {
	w.next()
	w.b = append(w.b, byte('0'+s/100%10), byte('0'+s/10%10), byte('0'+s%10))
}

func (w *lineWriter) version(h *message.Request) {
	w.next()
	w.b = append(append(w.b, "HTTP/"...), byte('0'+h.Major), '.', byte('0'+h.Minor))
}

// seconds has three decimals.
func (w *lineWriter) seconds(d time.Duration) {
	w.next()
	ms := max(d, 0).Round(time.Millisecond).Milliseconds()
	w.b = strconv.AppendInt(w.b, ms/1000, 10)
	ms %= 1000
	w.b = append(w.b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
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

func (w *lineWriter) encode(v string, most int) {
	if v == "" {
		w.b = append(w.b, '-')
		return
	}
	v = v[:min(len(v), most)]
	from := 0
	for i := range len(v) {
		if c := v[i]; unsafe[c] {
			w.b = append(append(w.b, v[from:i]...), '%', hexDigits[c>>4], hexDigits[c&15])
			from = i + 1
		}
	}
	w.b = append(w.b, v[from:]...)
}

// details are CloudFront's words for why a request failed.
var details = map[string]string{
	"origin-dns": "OriginDnsError", "origin-connect": "OriginConnectError", "origin-connect-timeout": "OriginConnectError",
	"origin-tls": "OriginConnectError", "origin-read-timeout": "OriginReadError", "origin-invalid": "OriginInvalidResponseError",
	"origin-header-too-big": "OriginHeaderTooBigError", "origin-closed": "OriginCommError", "viewer-gone": "ClientHungUpRequest",
	"method-not-allowed": "InvalidRequestMethod", "bad-target": "InvalidRequest", "unexpected-body": "InvalidRequest",
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
