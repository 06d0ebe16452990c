package sigv4

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Error is a reason for refusing a request, in AWS's words.
type Error struct {
	Code    string // AWS's
	Status  int    // of the HTTP answer
	Message string
	// Canonical is the canonical request as we understood it, when the signature was wrong: it helps
	// whoever writes a client, and holds nothing but what came with the request.
	Canonical string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Status: http.StatusForbidden, Message: fmt.Sprintf(format, args...)}
}

// ErrUnknownKey is what a Lookup returns for a key, or a key with a session token, that does not exist.
var ErrUnknownKey error = refuse("InvalidClientTokenId", "The security token included in the request is invalid.")

// ErrExpiredToken is what a Lookup returns for a session that is over.
var ErrExpiredToken error = refuse("ExpiredToken", "The security token included in the request is expired")

// Limits that AWS sets.
const (
	DefaultSkew = 15 * time.Minute
	MaxExpires  = 7 * 24 * time.Hour
)

// Verifier checks requests. It has no state: any goroutine may use it.
type Verifier struct {
	// Services are those that a credential scope may name. Regions are not looked at: clients with an
	// endpoint of their own sign for whatever region they are configured for.
	Services []string
	// Lookup finds the secret of an access key. sessionToken is "" when none came. It returns
	// ErrUnknownKey or ErrExpiredToken for the client's faults; another error is passed on as it is.
	Lookup func(accessKeyID, sessionToken string) (secret string, err error)
	// Skew is how far the clocks may differ, DefaultSkew when zero.
	Skew time.Duration
}

// Claim is a request of which everything is right but, possibly, the signature: that needs the body.
type Claim struct {
	AccessKeyID  string
	SessionToken string
	Region       string
	Service      string
	SignedAt     time.Time
	Presigned    bool

	secret    string
	scope     scope
	head      string // canonical request without the payload's hash
	payload   string // the hash that the client declared, "" when it did not
	signature string
}

// Verify is Open and Check for whoever has the body already.
func (v *Verifier) Verify(r *Request, body []byte, now time.Time) (*Claim, error) {
	c, err := v.Open(r, now)
	if err != nil {
		return nil, err
	}
	return c, c.Check(body)
}

// Open checks all that can be checked before the body is read: form, scope, time, and that the key
// exists. Nobody is who they claim to be until Check has said so.
func (v *Verifier) Open(r *Request, now time.Time) (*Claim, error) {
	form, err := readForm(r)
	if err != nil {
		return nil, err
	}
	c := &Claim{Presigned: form.presigned, SessionToken: form.token, SignedAt: form.at, payload: form.payload, signature: form.signature}
	if err := c.readCredential(form.credential, v.Services); err != nil {
		return nil, err
	}
	if err := checkSigned(r, form); err != nil {
		return nil, err
	}
	if err := v.checkTime(form, now); err != nil {
		return nil, err
	}
	if c.secret, err = v.Lookup(c.AccessKeyID, c.SessionToken); err != nil {
		return nil, err
	}
	c.head = canonicalHead(r, form.signed)
	return c, nil
}

// Check tells whether the signature is right for this body. nil means that the request is authentic.
func (c *Claim) Check(body []byte) error {
	payload := c.payload
	switch {
	case payload == "":
		payload = hash(body)
	case payload != unsignedPayload && !hmac.Equal([]byte(payload), []byte(hash(body))):
		return refuse("SignatureDoesNotMatch", "The provided x-amz-content-sha256 does not match the body of the request.")
	}
	canonical := c.head + payload
	want := signature(c.secret, c.scope, c.SignedAt, canonical)
	if !hmac.Equal([]byte(want), []byte(c.signature)) {
		e := refuse("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
		e.Canonical = canonical
		return e
	}
	return nil
}

// form is what both forms of signed requests say.
type form struct {
	presigned  bool
	credential string
	signed     []string
	signature  string
	at         time.Time
	expires    time.Duration // of a presigned request
	token      string
	payload    string
}

func readForm(r *Request) (*form, error) {
	query := parameters(r.Query)
	headers := r.values("authorization")
	_, presigned := query["X-Amz-Algorithm"]
	switch {
	case presigned && len(headers) > 0 || len(headers) > 1:
		return nil, refuse("IncompleteSignature", "Only one authentication mechanism is allowed: an Authorization header or X-Amz-Algorithm in the query, once.")
	case presigned:
		return readPresigned(r, query)
	case len(headers) == 1:
		return readHeader(r, headers[0])
	}
	return nil, refuse("MissingAuthenticationToken", "Missing Authentication Token")
}

func readHeader(r *Request, authorization string) (*form, error) {
	kind, rest, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if kind != algorithm {
		return nil, refuse("IncompleteSignature", "Unsupported AWS 'algorithm': '%.40s', expected '%s'.", kind, algorithm)
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; !ok || twice {
			return nil, refuse("IncompleteSignature", "'%.60s' is not a valid key=value pair (or is there twice) in Authorization header.", strings.TrimSpace(part))
		}
		parts[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if parts[name] == "" {
			return nil, refuse("IncompleteSignature", "Authorization header requires '%s' parameter.", name)
		}
	}
	at, err := dateOf(r)
	if err != nil {
		return nil, err
	}
	f := &form{
		credential: parts["Credential"], signed: strings.Split(parts["SignedHeaders"], ";"), signature: parts["Signature"],
		at: at, token: r.get("x-amz-security-token"), payload: r.get("x-amz-content-sha256"),
	}
	return f, checkPayload(f.payload)
}

func readPresigned(r *Request, query map[string]string) (*form, error) {
	if query["X-Amz-Algorithm"] != algorithm {
		return nil, refuse("IncompleteSignature", "Unsupported AWS 'algorithm': '%.40s', expected '%s'.", query["X-Amz-Algorithm"], algorithm)
	}
	for _, name := range []string{"X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if query[name] == "" {
			return nil, refuse("IncompleteSignature", "AWS query-string parameters must include '%s'.", name)
		}
	}
	at, err := time.Parse(timeLayout, query["X-Amz-Date"])
	if err != nil {
		return nil, refuse("IncompleteSignature", "Date in X-Amz-Date must be in ISO8601 basic format, got '%.40s'.", query["X-Amz-Date"])
	}
	seconds, err := strconv.ParseUint(query["X-Amz-Expires"], 10, 32)
	expires := time.Duration(seconds) * time.Second
	if err != nil || expires == 0 || expires > MaxExpires {
		return nil, refuse("IncompleteSignature", "X-Amz-Expires must be a number of seconds from 1 to %d.", int(MaxExpires/time.Second))
	}
	f := &form{
		presigned: true, credential: query["X-Amz-Credential"], signed: strings.Split(query["X-Amz-SignedHeaders"], ";"),
		signature: query["X-Amz-Signature"], at: at, expires: expires, token: query["X-Amz-Security-Token"],
		payload: query["X-Amz-Content-Sha256"],
	}
	if f.token == "" {
		f.token = r.get("x-amz-security-token")
	}
	if f.payload == "" {
		f.payload = r.get("x-amz-content-sha256")
	}
	return f, checkPayload(f.payload)
}

func checkPayload(p string) error {
	if p == "" || p == unsignedPayload || len(p) == 64 && strings.Trim(p, "0123456789abcdef") == "" {
		return nil
	}
	return refuse("SignatureDoesNotMatch", "x-amz-content-sha256 must be %s or the SHA-256 of the body in lower-case hexadecimal, got '%.40s'.", unsignedPayload, p)
}

func dateOf(r *Request) (time.Time, error) {
	if d := r.get("x-amz-date"); d != "" {
		at, err := time.Parse(timeLayout, d)
		if err != nil {
			return at, refuse("IncompleteSignature", "Date in X-Amz-Date must be in ISO8601 basic format, got '%.40s'.", d)
		}
		return at, nil
	}
	d := r.get("date")
	if d == "" {
		return time.Time{}, refuse("IncompleteSignature", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if at, err := http.ParseTime(d); err == nil {
		return at, nil
	}
	at, err := time.Parse(timeLayout, d)
	if err != nil {
		return at, refuse("IncompleteSignature", "Date must be in ISO8601 basic format or as HTTP says, got '%.40s'.", d)
	}
	return at, nil
}

// readCredential takes "AKID/20150830/us-east-1/cloudfront/aws4_request" apart.
func (c *Claim) readCredential(credential string, services []string) error {
	p := strings.Split(credential, "/")
	if len(p) != 5 || p[0] == "" || p[2] == "" {
		return refuse("IncompleteSignature", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%.120s'.", credential)
	}
	if p[4] != terminator {
		return refuse("SignatureDoesNotMatch", "Credential should be scoped with a valid terminator: '%s', not '%.40s'.", terminator, p[4])
	}
	if !slices.Contains(services, p[3]) {
		return refuse("SignatureDoesNotMatch", "Credential should be scoped to correct service: '%s'.", strings.Join(services, "' or '"))
	}
	if day := c.SignedAt.UTC().Format("20060102"); p[1] != day {
		return refuse("SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.20s' != '%s'.", p[1], day)
	}
	c.AccessKeyID, c.Region, c.Service = p[0], p[2], p[3]
	c.scope = scope{p[1], p[2], p[3]}
	return nil
}

// checkSigned demands that everything is signed on which our decisions rest: host, date, and each
// x-amz- header, since one that is not signed could have been added on the way.
func checkSigned(r *Request, f *form) error {
	if !slices.IsSorted(f.signed) || slices.ContainsFunc(f.signed, func(s string) bool { return s == "" || s != strings.ToLower(s) }) {
		return refuse("IncompleteSignature", "SignedHeaders must be lower-case names in order.")
	}
	need := []string{"host"}
	for name := range r.Header {
		if n := strings.ToLower(name); strings.HasPrefix(n, "x-amz-") {
			need = append(need, n)
		}
	}
	if !f.presigned && r.get("x-amz-date") == "" {
		need = append(need, "date")
	}
	for _, n := range need {
		if !slices.Contains(f.signed, n) {
			return refuse("SignatureDoesNotMatch", "'%.60s' must be a signed header: it is not listed in SignedHeaders.", n)
		}
	}
	return nil
}

func (v *Verifier) checkTime(f *form, now time.Time) error {
	skew := v.Skew
	if skew == 0 {
		skew = DefaultSkew
	}
	signed, at := f.at.UTC().Format(timeLayout), now.UTC().Format(timeLayout)
	if latest := now.Add(skew); f.at.After(latest) {
		return refuse("SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s (%s + %d min.)", signed, latest.UTC().Format(timeLayout), at, int(skew/time.Minute))
	}
	if f.presigned {
		if end := f.at.Add(f.expires); now.After(end) {
			e := refuse("RequestExpired", "Request has expired: it was presigned until %s and it is %s.", end.UTC().Format(timeLayout), at)
			e.Status = http.StatusBadRequest
			return e
		}
		return nil
	}
	if earliest := now.Add(-skew); f.at.Before(earliest) {
		return refuse("SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s (%s - %d min.)", signed, earliest.UTC().Format(timeLayout), at, int(skew/time.Minute))
	}
	return nil
}

// IsRefusal tells the client's faults from a failing Lookup.
func IsRefusal(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
