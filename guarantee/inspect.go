package guarantee

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// origins reads what the origin has written into the head.
func (a *Answer) origins(o *Object, h http.Header) {
	a.Version, _ = strconv.ParseUint(h.Get(versionField), 10, 64)
	number, sent, _ := strings.Cut(h.Get(fillField), " ")
	a.Fill, _ = strconv.ParseUint(number, 10, 64)
	a.Age = -1
	if n, err := strconv.ParseInt(h.Get("Age"), 10, 32); err == nil {
		a.Age = n
	}
	if n, err := strconv.ParseInt(sent, 10, 64); err == nil {
		a.Left = Instant(n)
		a.Begun = max(a.Begun, a.Left)
	}
}

// wrong notes what is not right about the octets, the first finding.
func (a *Answer) wrong(c Class, format string, args ...any) {
	if a.Wrong == None {
		a.Wrong, a.Why = c, fmt.Sprintf(format, args...)
	}
}

// inspect compares status, head and body with each other.
func (a *Answer) inspect(q *question, resp *http.Response, body []byte) {
	o := q.object
	if a.Status == http.StatusNotModified {
		a.confirms(q, resp.Header)
		return
	}
	if a.Version == 0 {
		if a.Status < 400 {
			a.wrong(Mixed, "status %d without the origin's fields", a.Status)
		}
		return // made by the cache
	}
	if got := resp.Header.Get(shadeField); got != q.shade && a.Method != "POST" {
		a.wrong(Mixed, "it was made for %q, asked was for %q", got, q.shade)
	}
	if v, ok := o.versionOf(resp.Header.Get("ETag")); ok && v != a.Version && o.validated() {
		a.wrong(Mixed, "the head says version %d, its ETag %d", a.Version, v)
	}
	switch want := o.status(a.Version); {
	case a.Method == "POST":
	case a.Status == http.StatusPartialContent:
		a.partial(q, resp.Header, body)
	case a.Status == http.StatusRequestedRangeNotSatisfiable && len(q.parts) > 1:
		a.Version = 0 // who does not give several parts may say so; it shows nothing
	case a.Status == http.StatusRequestedRangeNotSatisfiable:
		a.wrong(Mixed, "the range %s lies in every version, but: %s", a.Asking, resp.Status)
	case a.Status != want:
		a.wrong(Mixed, "version %d has status %d, not %d", a.Version, want, a.Status)
	case a.Method == "HEAD":
		if n := resp.ContentLength; n >= 0 && n != o.size(a.Version) && resp.Header.Get("Content-Encoding") == "" && o.Kind != Encoded {
			a.wrong(Mixed, "HEAD says %d octets, version %d has %d", n, a.Version, o.size(a.Version))
		}
	case !q.accepts(resp.Header.Get("Content-Encoding")):
		a.wrong(Mixed, "the coding is %s, asked was with %q", resp.Header.Get("Content-Encoding"), a.Asking)
	default:
		a.whole(o, resp.Header.Get("Content-Encoding"), body)
	}
}

// confirms: a 304 stands for the version whose validator was sent; to a date, for the one that it names itself, which is not younger.
func (a *Answer) confirms(q *question, h http.Header) {
	v, ok := q.object.versionOf(h.Get("ETag"))
	switch {
	case q.since > 0:
		if a.Version = v; !ok {
			a.Version = q.since
		}
		if a.Version > q.since {
			a.wrong(Mixed, "304 with the validator of version %d, asked was with the date of version %d", v, q.since)
		}
		return
	case len(q.tags) == 0:
		a.wrong(Mixed, "304, and there was no condition")
		return
	case !ok:
		// It may leave the validator out. Then it says yes to the newest at best.
		for _, t := range q.tags {
			v = max(v, t)
		}
	}
	a.Version = v
	for _, t := range q.tags {
		if t == v {
			return
		}
	}
	a.wrong(Mixed, "304 with the validator of version %d, asked was %s", v, a.Asking)
}

// partial looks at the part, or the parts, of a 206.
func (a *Answer) partial(q *question, h http.Header, body []byte) {
	if q.part > 0 && q.part != a.Version {
		a.wrong(Mixed, "parts were asked for that belong to version %d, these are of %d", q.part, a.Version)
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		a.given(q, 1)
		a.part(q, h.Get("Content-Range"), body)
		return
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		if err == io.EOF && n > 0 || err != nil && a.Cut {
			a.given(q, n)
			return
		}
		var octets []byte
		if err == nil {
			octets, err = io.ReadAll(p)
		}
		if err != nil && !a.Cut {
			a.wrong(Torn, "part %d of a 206: %v", n+1, err)
			return
		}
		a.part(q, p.Header.Get("Content-Range"), octets)
	}
}

// given looks whether n are all the parts that were asked for.
func (a *Answer) given(q *question, n int) {
	if n < len(q.parts) && !a.Cut {
		a.wrong(Torn, "%d of %d parts, and nothing says so", n, len(q.parts))
	}
}

// part looks at one: it has to be one of those that were asked for, and all of that.
func (a *Answer) part(q *question, where string, octets []byte) {
	var p span
	var whole int64
	_, err := fmt.Sscanf(where, "bytes %d-%d/%d", &p.first, &p.last, &whole)
	asked := false
	for _, x := range q.parts {
		asked = asked || x == p
	}
	size := q.object.size(a.Version)
	switch {
	case err != nil || !asked:
		a.wrong(Mixed, "206 with Content-Range %q, asked was %q", where, a.Asking)
	case whole != size:
		a.wrong(Mixed, "Content-Range is %q, version %d has %d octets", where, a.Version, size)
	case int64(len(octets)) != p.last-p.first+1 && !a.Cut:
		a.wrong(Torn, "%d octets for Content-Range %q, and nothing says so", len(octets), where)
	default:
		a.octets(q.object, octets, p.first)
	}
}

// whole looks at a body that is not a part.
func (a *Answer) whole(o *Object, coding string, body []byte) {
	body, err := decode(coding, body)
	if err != nil && !a.Cut {
		a.wrong(Torn, "%s: %v", coding, err)
		return
	}
	a.octets(o, body, 0)
	if size := o.size(a.Version); !a.Cut && int64(len(body)) != size {
		a.wrong(Torn, "%d of %d octets, and nothing says so", len(body), size)
	}
}

// octets compares what stands at an offset of the body with the version that the head says. Where one ETag names
// all versions, a cache that was told of none may put the octets of several together: then the least of them counts.
func (a *Answer) octets(o *Object, b []byte, off int64) {
	if o.Kind == Rebuilt {
		v, err := o.oldest(b, off)
		if err != nil {
			a.wrong(Mixed, "%v", err)
		} else if v > 0 {
			a.Version = min(a.Version, v)
		}
		return
	}
	if err := o.check(a.Version, b, off); err != nil {
		a.wrong(Mixed, "the head says version %d: %v", a.Version, err)
	}
}

// decode returns as much as can be decoded.
func decode(coding string, b []byte) ([]byte, error) {
	r := io.Reader(bytes.NewReader(b))
	switch coding {
	case "":
		return b, nil
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, errors.New("a coding that was not asked for")
	}
	return io.ReadAll(r)
}
