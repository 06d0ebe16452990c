package edge

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// newID returns a fresh X-Amz-Cf-Id: 40 octets in 56 characters, which end in "==".
func newID() string {
	var raw [40]byte
	for i := 0; i < len(raw); i += 8 {
		binary.LittleEndian.PutUint64(raw[i:], rand.Uint64())
	}
	return base64.URLEncoding.EncodeToString(raw[:])
}

func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// own appends the fields that every answer gets from this edge. x may be nil.
func (e *Edge) own(f message.Fields, x *site, o Outcome, id string) message.Fields {
	return append(e.signed(f, o, e.announces(x)), message.Field{Name: "X-Amz-Cf-Id", Value: id})
}

// signed is own without the id, which comes last.
func (e *Edge) signed(f message.Fields, o Outcome, announced bool) message.Fields {
	f = append(f,
		message.Field{Name: "X-Cache", Value: o.XCache()},
		message.Field{Name: "Via", Value: e.via},
		message.Field{Name: "X-Amz-Cf-Pop", Value: e.cfg.Location})
	if announced {
		f = append(f, message.Field{Name: "Alt-Svc", Value: e.altSvc})
	}
	return f
}

// announce lets viewers be told where HTTP/3 is to be had; "": nowhere.
func (e *Edge) announce(altSvc string) {
	e.altSvc = altSvc
	e.closing, e.announcing = e.closingOf(false), e.closingOf(true)
}

// announces tells whether viewers of x are told where HTTP/3 is to be had (RFC 7838), as CloudFront does it:
// in every answer, however it travels.
func (e *Edge) announces(x *site) bool { return e.altSvc != "" && x != nil && x.HTTP3() }

// ageThen is the Age field of what an origin has just answered, "" for none.
func ageThen(f message.Fields) string {
	if age, said := httpcache.OriginAge(f); said == httpcache.AgeSaid {
		return wholeSeconds(age)
	}
	return ""
}

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// emit writes the answer. The ticket is open until its head is in the engine's hands.
func (v *visit) emit(q *query, a *answer) {
	if a.reader != nil {
		a.reader.decided()
	}
	if a.walk != nil {
		a.walk.decided()
	}
	if a.object != nil {
		v.e.recent.noteString(v.x.Stripe, v.now, a.object.Key)
	}
	v.x.Outcome, v.x.Reason, v.x.NoStore, v.x.OriginLatency, v.x.Origin = a.outcome, a.reason, a.noStore, a.latency, a.from
	switch {
	case a.failed:
		v.emitFailure(a)
		return
	case !a.plain && a.status >= 200 && a.status < 300:
		if v.emitCondition(q, a) || v.emitRange(q, a) {
			return
		}
	}
	v.begin(a, a.status, append(v.fields[:0], a.fields...), a.length)
	v.emitBody(a, 0, -1)
}

// begin writes the head.
func (v *visit) begin(a *answer, status int, f message.Fields, length int64) {
	if v.child != nil {
		v.x.Status, v.begun = status, v.beginChild(a, status, f, length) == nil
		v.x.Aborted = v.x.Aborted || !v.begun
		return
	}
	f = v.e.own(f, v.main.site, v.x.Outcome, v.x.ID)
	if x := v.main.site; x != nil && x.RFC {
		f = v.appendCacheStatus(f, a)
	}
	switch {
	case a.outcome == Hit, a.object != nil && a.outcome == Failed:
		f = append(f, message.Field{Name: "Age", Value: wholeSeconds(a.fresh.Age(v.now))})
	case a.age != "":
		// Without it a cache behind this one would take for new what another before this one had kept.
		f = append(f, message.Field{Name: "Age", Value: a.age})
	}
	if a.retry > 0 {
		f = append(f, message.Field{Name: "Retry-After", Value: strconv.Itoa(a.retry)})
	}
	v.fields = f
	v.x.Status, v.x.ContentType = status, f.Get("Content-Type")
	if err := v.w.Begin(status, f, length); err != nil {
		v.x.Aborted = true
	} else {
		v.begun = true
	}
	v.x.FirstByte = v.since()
}

// sent gives the head to the socket and closes the ticket: only now may a rule be acknowledged that
// would have forbidden it (E3).
func (v *visit) sent() {
	v.w.Flush()
	v.ticket.close()
}

// write sends octets of the body.
func (v *visit) write(p []byte) error {
	n, err := v.w.Write(p)
	v.x.Bytes += int64(n)
	return err
}

// withHead is how much of a body is written along with the head. More could wait for a slow viewer,
// and the ticket with it.
const withHead = 16 << 10

// emitBody sends n octets of the body from off on; n < 0: to the end.
func (v *visit) emitBody(a *answer, off, n int64) {
	if v.r.Method == "HEAD" {
		v.sent()
		return
	}
	var err error
	switch {
	case a.walk != nil:
		if n < 0 {
			n = a.length - off
		}
		var sent int64
		sent, err = a.walk.sendWithHead(off, n)
		v.sent()
		if err == nil {
			err = a.walk.send(off+sent, n-sent)
		}
	case a.object != nil || a.body != nil || a.reader == nil && a.stream == nil:
		p := a.body[off:]
		if n >= 0 {
			p = p[:n]
		}
		first := p[:min(len(p), withHead)]
		if len(first) > 0 {
			err = v.write(first)
		}
		v.sent()
		if rest := p[len(first):]; len(rest) > 0 && err == nil {
			v.e.loads.lend(a.object)
			err = v.write(rest)
			v.e.loads.back(a.object)
		}
	case a.stream != nil:
		v.sent()
		err = v.carry(a.stream)
	default:
		a.reader.seek(off)
		n, err = v.hand(a.reader.here(withHead), n)
		v.sent()
		if err == nil {
			err = v.follow(a.reader, n)
		}
	}
	if err != nil {
		v.x.Aborted = true
		v.w.Abort()
	}
}

// follow hands a flight's octets on as they arrive, n of them; n < 0: to the end.
func (v *visit) follow(r *reader, n int64) error {
	for n != 0 {
		p, ready, err := r.next(v.ctx)
		if err != nil || p == nil {
			return err
		}
		if n, err = v.hand(p, n); err != nil {
			return err
		}
		if !ready && n != 0 {
			if err := v.w.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// hand writes what has come of n octets, n < 0: of all, and returns how many are left.
func (v *visit) hand(p []byte, n int64) (left int64, err error) {
	if n >= 0 {
		p = p[:min(int64(len(p)), n)]
		n -= int64(len(p))
	}
	if len(p) > 0 {
		err = v.write(p)
	}
	return n, err
}

// emitFailure writes the page that is made here.
func (v *visit) emitFailure(a *answer) {
	status, line := a.status, failures[a.failure].line
	v.scratch = appendPage(v.scratch[:0], status, line, v.x.ID)
	v.begin(a, status, pageFields(v.fields[:0], v.now), int64(len(v.scratch)))
	a.body, a.object = v.scratch, nil
	v.emitBody(a, 0, -1)
}

// conditionOf is what the viewer's conditions make of the answer. With cookies forwarded CloudFront does not look at
// them; the RFC knows no such exception. For OPTIONS there are no conditions (RFC 9110 section 13.2.1).
func (v *visit) conditionOf(q *query, a *answer) httpcache.Outcome {
	if q.behavior.ForwardsCookies && !q.site.RFC || q.req.Method == "OPTIONS" || !hasCondition(q.req.Fields) {
		return httpcache.Proceed
	}
	return httpcache.Conditional(q.req.Fields, a.status, a.fields)
}

// emitCondition answers 304 or 412 where the viewer's conditions say so.
func (v *visit) emitCondition(q *query, a *answer) bool {
	switch v.conditionOf(q, a) {
	case httpcache.NotModified:
		v.begin(a, 304, append(v.fields[:0], httpcache.NotModifiedFields(a.fields)...), -1)
		v.sent()
		return true
	case httpcache.PreconditionFailed:
		v.x.Outcome, v.x.Reason = Failed, PreconditionFailed
		v.emitFailure(v.failure(PreconditionFailed))
		return true
	}
	return false
}

func hasCondition(f message.Fields) bool {
	for i := range f {
		switch len(f[i].Name) {
		case 8, 13, 17, 19:
			if conditional(f[i].Name) {
				return true
			}
		}
	}
	return false
}
