package edge

import (
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// failures gives each reason for which the edge makes the answer itself its status, its outcome and
// the line that viewers read. Key words are CloudFront's, for people search for them.
var failures = [reasons]struct {
	status  int
	outcome Outcome
	line    string
}{
	UnknownHost:          {403, Failed, "Bad request."},
	Disabled:             {403, Failed, "Bad request."},
	Misdirected:          {421, Failed, "Bad request. The name of the TLS handshake is one of another distribution."},
	BadTarget:            {400, Failed, "Bad request."},
	MethodNotAllowed:     {403, Failed, "This distribution is not configured to allow the HTTP request method that was used for this request. The distribution supports only cachable requests."},
	HTTPSOnly:            {403, Failed, "Bad request. This distribution is configured to be reached by HTTPS only."},
	UnexpectedBody:       {403, Failed, "Bad request. A GET or HEAD request must not have a body."},
	TooManyHops:          {403, Failed, "Bad request. It has come through too many CloudFront hops; look for a loop."},
	UpgradeRefused:       {400, Failed, "Bad request. The WebSocket handshake is malformed."},
	ExpectationFailed:    {417, Failed, "The expectation given in the request cannot be met."},
	RangeNotSatisfiable:  {416, Failed, "The requested range lies beyond the end of the object."},
	PreconditionFailed:   {412, Failed, "A precondition given in the request does not hold."},
	NotMember:            {503, CapacityExceeded, "This edge is starting and cannot answer yet. Try again in a moment."},
	Overtaken:            {503, CapacityExceeded, "Invalidations of this object arrive faster than the origin answers. Try again in a moment."},
	TooManyFills:         {503, CapacityExceeded, "This edge is fetching as much as it may. Try again in a moment."},
	Paced:                {503, Failed, "What was asked for is being renewed, slowly, so that its origin can keep up. Try again in a moment."},
	OnlyIfCached:         {504, Failed, "The request wants a stored answer only, and there is none that it could get."},
	IsolationFail:        {503, CapacityExceeded, "This edge cannot reach its control plane, and must not answer for this distribution meanwhile."},
	LeaseLost:            {503, CapacityExceeded, "This edge cannot reach its control plane and must not answer from its cache."},
	OriginDown:           {502, Failed, "CloudFront wasn't able to connect to the origin. It has not answered for a while and will be asked again in a moment."},
	OriginBusy:           {503, Failed, "This edge is asking the origin as much as it may. Try again in a moment."},
	OriginDNS:            {502, Failed, "CloudFront wasn't able to resolve the origin domain name."},
	OriginConnect:        {502, Failed, "CloudFront wasn't able to connect to the origin."},
	OriginConnectTimeout: {504, Failed, "CloudFront wasn't able to connect to the origin in time."},
	OriginTLS:            {502, Failed, "CloudFront attempted to establish a connection with the origin, but either the attempt failed or the origin closed the connection."},
	OriginReadTimeout:    {504, Failed, "CloudFront connected to the origin, but the origin did not answer in time."},
	OriginInvalid:        {502, Failed, "The origin's answer is not valid HTTP."},
	OriginHeaderTooBig:   {502, Failed, "The header of the origin's answer is too large."},
	OriginClosed:         {502, Failed, "The origin closed the connection."},
	Internal:             {500, Failed, "Something went wrong in this edge."},
}

// failure makes the answer for a reason of the table.
func (v *visit) failure(why Reason) *answer {
	f := &failures[why]
	a := &v.answers[0]
	*a = answer{status: f.status, outcome: f.outcome, reason: why, failed: true, failure: why, plain: true}
	return a
}

// failureField keeps the reason of a failure in its object: a name that no origin can send. The page
// itself has the request's id in it and is made for each viewer.
const failureField = ":failure"

func failureFields(why Reason) message.Fields {
	return message.Fields{{Name: failureField, Value: strconv.Itoa(int(why))}}
}

func failureIn(f message.Fields) (Reason, bool) {
	if len(f) != 1 || f[0].Name != failureField {
		return 0, false
	}
	n, err := strconv.Atoi(f[0].Value)
	return Reason(n), err == nil && n < int(reasons)
}

// appendPage appends CloudFront's error page: its fingerprints, our words.
func appendPage(dst []byte, status int, line, id string) []byte {
	code := strconv.Itoa(status)
	for _, s := range []string{
		`<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">` + "\n" +
			`<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">` + "\n" +
			"<TITLE>ERROR: The request could not be satisfied</TITLE>\n</HEAD><BODY>\n<H1>", code, " ERROR</H1>\n" +
			"<H2>The request could not be satisfied.</H2>\n<HR noshade size=\"1px\">\n", line, "\n" +
			"The content that was asked for cannot be given out at the moment.\n<BR clear=\"all\">\n" +
			"If this is your site, look up the request ID in the access log of the edge: its line names the reason.\n" +
			"<BR clear=\"all\">\n<HR noshade size=\"1px\">\n<PRE>\nGenerated by cloudfront (CloudFront)\nRequest ID: ", id,
		"\n</PRE>\n<ADDRESS>\n</ADDRESS>\n</BODY></HTML>\n",
	} {
		dst = append(dst, s...)
	}
	return dst
}

// pageFields are the fields of a page that is made here.
func pageFields(dst message.Fields, now time.Time) message.Fields {
	return append(dst, message.Field{Name: "Server", Value: "CloudFront"},
		message.Field{Name: "Date", Value: httpDate(now)}, message.Field{Name: "Content-Type", Value: "text/html"})
}

// explain puts the distribution's custom error page in place of an error: fetched by the behavior that
// matches the page's path, like any other object. If that fails, its failure is the answer.
func (v *visit) explain(a *answer) (*answer, step) {
	q := &v.main
	if q.site == nil || !q.site.Enabled || a.outcome == CapacityExceeded || a.reason == Purging {
		return a, found
	}
	page, ok := q.site.ErrorPages[a.status]
	if !ok || page.PagePath == "" {
		return a, found
	}
	v.reopen()
	p := &v.page
	p.snap = v.ticket.snap
	if p.site = p.snap.sites.of(q.site.ID); p.site == nil || p.site.rev != q.site.rev {
		return nil, again
	}
	p.req, p.path = v.pageRequest(page.PagePath), page.PagePath
	p.behavior = p.site.Behavior(p.path)
	p.key = p.behavior.AppendKey(p.key[:0], p.site.Distribution, p.req)
	b, st := v.obtain(p, 1)
	if st == found && b.isMap() {
		b, st = v.throughSlices(p, b, 1)
	}
	if v.ticket.snap == nil && !planted(pageUnleased) {
		a.on = nil // it took time: an error that was found stored may have had a lease that there is not any more
	}
	if st == found {
		st = v.decide(p, b)
	}
	if st == found {
		st = v.decide(q, a) // both are in the answer: both must be alive when it goes out
	}
	if st != found {
		return nil, st
	}
	b.plain, b.reason, b.outcome, b.retry = true, a.reason, Failed, a.retry
	if b.status < 400 {
		b.status = page.ResponseCode
	}
	return b, found
}

// beyond is the error in place of an answer that ends before the range which is asked for, if the distribution has a
// page for that; otherwise emitRange says so. It dies with the answer: its length is what makes it an error.
func (v *visit) beyond(a *answer) *answer {
	q := &v.main
	if q.site == nil || a.plain || !v.wantsRange(q) || q.site.ErrorPages[416].PagePath == "" || v.conditionOf(q, a) != httpcache.Proceed {
		return a
	}
	if _, verdict := v.rangesOf(q, a); verdict != httpcache.RangeUnsatisfiable {
		return a
	}
	b := *a
	b.status, b.outcome, b.reason = 416, Failed, RangeNotSatisfiable
	b.failed, b.failure, b.plain = true, RangeNotSatisfiable, true
	return &b
}

// pageRequest is the request for the page: the viewer's, but for what belongs to the original URL.
func (v *visit) pageRequest(path string) *message.Request {
	v.pageReq = v.r.Request
	r := &v.pageReq
	r.Method, r.Path, r.Query, r.HasQuery = "GET", path, "", false
	r.Fields = make(message.Fields, 0, len(v.r.Fields))
	for _, f := range v.r.Fields {
		if !conditional(f.Name) && !strings.HasPrefix(strings.ToLower(f.Name), "content-") {
			r.Fields = append(r.Fields, f)
		}
	}
	return r
}

// conditions are the fields that make a GET conditional or partial.
var conditions = [...]string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// conditional tells whether a field is one of the conditions. The lengths spare the hit path the letters.
func conditional(name string) bool {
	switch len(name) {
	case 5:
		return strings.EqualFold(name, "Range")
	case 8:
		return strings.EqualFold(name, "If-Match") || strings.EqualFold(name, "If-Range")
	case 13:
		return strings.EqualFold(name, "If-None-Match")
	case 17:
		return strings.EqualFold(name, "If-Modified-Since")
	case 19:
		return strings.EqualFold(name, "If-Unmodified-Since")
	}
	return false
}
