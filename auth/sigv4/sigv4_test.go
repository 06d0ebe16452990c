package sigv4

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(timeLayout, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func verifier(service, token string) *Verifier {
	return &Verifier{Services: []string{service}, Lookup: func(id, got string) (string, error) {
		if id != testKey || got != token {
			return "", ErrUnknownKey
		}
		return testSecret, nil
	}}
}

// The example of the key derivation in AWS's documentation.
func TestKey_DocumentedExample(t *testing.T) {
	got := hex.EncodeToString(scope{"20150830", "us-east-1", "iam"}.key(testSecret))
	if want := "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

// Signatures of AWS's published test suite and of the documented IAM request.
func TestSign_PublishedVectors(t *testing.T) {
	for _, c := range []struct {
		name, method, query, body string
		header                    http.Header
		want                      string
	}{
		{"get-vanilla", "GET", "", "", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "", "", nil, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "GET", "Param2=value2&Param1=value1", "", nil, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-header-value-trim", "GET", "", "", http.Header{"My-Header1": {" value1"}, "My-Header2": {` "a   b   c"`}}, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"post-x-www-form-urlencoded", "POST", "", "Param1=value1", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"iam", "GET", "Action=ListUsers&Version=2010-05-08", "", http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	} {
		r := &Request{Method: c.method, Path: "/", Query: c.query, Host: "example.amazonaws.com", Header: c.header}
		if r.Header == nil {
			r.Header = http.Header{}
		}
		s := Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: "us-east-1", Service: "service"}
		if c.name == "iam" {
			r.Host, s.Service = "iam.amazonaws.com", "iam"
		}
		now := at(t, "20150830T123600Z")
		s.Sign(r, []byte(c.body), now)
		if _, got, _ := strings.Cut(r.Header["Authorization"][0], "Signature="); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
		if _, err := verifier(s.Service, "").Verify(r, []byte(c.body), now); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// testdata/botocore.json was recorded from botocore 1.43.11: SigV4Auth and SigV4QueryAuth with a fixed
// clock on CloudFront's requests.
func TestVerify_WhatBotocoreSigns(t *testing.T) {
	data, err := os.ReadFile("testdata/botocore.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Method, Path, Query, Host, Body, Time, Service, Region, Token string
		Header                                                              [][2]string
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 15 {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			h := http.Header{}
			for _, f := range v.Header {
				h.Add(f[0], f[1])
			}
			r := &Request{Method: v.Method, Path: v.Path, Query: v.Query, Host: v.Host, Header: h}
			now := at(t, v.Time)
			c, err := verifier(v.Service, v.Token).Verify(r, []byte(v.Body), now.Add(10*time.Second))
			if err != nil {
				var e *Error
				if errors.As(err, &e) {
					t.Log(e.Canonical)
				}
				t.Fatal(err)
			}
			if c.AccessKeyID != testKey || c.Region != v.Region || c.SessionToken != v.Token || !c.SignedAt.Equal(now) {
				t.Errorf("%+v", c)
			}
			// The same request with anything changed is somebody else's.
			for what, change := range map[string]func(*Request){
				"method": func(r *Request) { r.Method += "X" },
				"path":   func(r *Request) { r.Path += "x" },
				"query":  func(r *Request) { r.Query += "&x=y" },
				"host":   func(r *Request) { r.Host = "other" },
			} {
				changed := *r
				change(&changed)
				if _, err := verifier(v.Service, v.Token).Verify(&changed, []byte(v.Body), now); err == nil {
					t.Errorf("a changed %s went unnoticed", what)
				}
			}
			_, err = verifier(v.Service, v.Token).Verify(r, []byte(v.Body+"!"), now)
			if declared := h.Get("X-Amz-Content-Sha256") == unsignedPayload; (err == nil) != declared {
				t.Errorf("changed body: %v", err)
			}
		})
	}
}

func signed(t *testing.T, now time.Time, body string, change func(*Request)) *Request {
	t.Helper()
	r := &Request{Method: "POST", Path: "/2020-05-31/distribution", Host: "localhost:9000", Header: http.Header{}}
	if change != nil {
		change(r)
	}
	Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: "eu-west-1", Service: "cloudfront"}.Sign(r, []byte(body), now)
	return r
}

func code(err error) string {
	if e, ok := IsRefusal(err); ok {
		return e.Code
	}
	if err != nil {
		return "other: " + err.Error()
	}
	return ""
}

func TestVerify_HeaderForm(t *testing.T) {
	now := at(t, "20260514T120000Z")
	auth := func(f func(string) string) func(*Request) {
		return func(r *Request) { r.Header["Authorization"][0] = f(r.Header["Authorization"][0]) }
	}
	replace := func(old, new string) func(*Request) {
		return auth(func(s string) string { return strings.Replace(s, old, new, 1) })
	}
	for _, c := range []struct {
		name, want, says string
		change           func(*Request)
	}{
		{"untouched", "", "", func(*Request) {}},
		{"no header", "MissingAuthenticationToken", "", func(r *Request) { delete(r.Header, "Authorization") }},
		{"two headers", "IncompleteSignature", "Only one", func(r *Request) { r.Header["Authorization"] = append(r.Header["Authorization"], "x") }},
		{"header and query", "IncompleteSignature", "Only one", func(r *Request) { r.Query = "X-Amz-Algorithm=AWS4-HMAC-SHA256" }},
		{"other scheme", "IncompleteSignature", "Unsupported", auth(func(string) string { return "Bearer abc" })},
		{"signature version 4a", "IncompleteSignature", "Unsupported", replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")},
		{"empty", "IncompleteSignature", "", auth(func(string) string { return "" })},
		{"algorithm only", "IncompleteSignature", "key=value", auth(func(string) string { return "AWS4-HMAC-SHA256" })},
		{"no signature", "IncompleteSignature", "'Signature'", replace(", Signature=", ", Sig=")},
		{"credential twice", "IncompleteSignature", "twice", replace(", Signature=", ", Credential=a/b/c/d/e, Signature=")},
		{"short credential", "IncompleteSignature", "5 slash", replace("/aws4_request", "")},
		{"wrong terminator", "SignatureDoesNotMatch", "terminator", replace("aws4_request", "aws5_request")},
		{"wrong service", "SignatureDoesNotMatch", "correct service: 'cloudfront'", replace("/cloudfront/", "/s3/")},
		{"wrong day", "SignatureDoesNotMatch", "does not match YYYYMMDD", replace("/20260514/", "/20260513/")},
		{"wrong region", "SignatureDoesNotMatch", "we calculated", replace("/eu-west-1/", "/eu-west-2/")},
		{"unknown key", "InvalidClientTokenId", "security token", replace(testKey, "AKIDOTHER")},
		{"unknown token", "SignatureDoesNotMatch", "'x-amz-security-token' must be a signed header", func(r *Request) { r.Header["X-Amz-Security-Token"] = []string{"t"} }},
		{"added x-amz header", "SignatureDoesNotMatch", "'x-amz-meta' must be", func(r *Request) { r.Header["X-Amz-Meta"] = []string{"t"} }},
		{"host not signed", "SignatureDoesNotMatch", "'host' must be", replace("SignedHeaders=host;", "SignedHeaders=")},
		{"names in disorder", "IncompleteSignature", "in order", replace("host;x-amz-date", "x-amz-date;host")},
		{"names in upper case", "IncompleteSignature", "lower-case", replace("host;x-amz-date", "Host;x-amz-date")},
		{"no date", "IncompleteSignature", "existence of either", func(r *Request) { delete(r.Header, "X-Amz-Date") }},
		{"odd date", "IncompleteSignature", "ISO8601", func(r *Request) { r.Header["X-Amz-Date"][0] = "2026-05-14" }},
		{"unsigned date", "SignatureDoesNotMatch", "'date' must be", func(r *Request) {
			delete(r.Header, "X-Amz-Date")
			r.Header["Date"] = []string{"Thu, 14 May 2026 12:00:00 GMT"}
		}},
		{"odd date header", "IncompleteSignature", "as HTTP says", func(r *Request) {
			delete(r.Header, "X-Amz-Date")
			r.Header["Date"] = []string{"today"}
		}},
		{"tampered signature", "SignatureDoesNotMatch", "we calculated", auth(func(s string) string { return s[:len(s)-1] + "x" })},
		{"streaming payload", "SignatureDoesNotMatch", "UNSIGNED-PAYLOAD or", func(r *Request) { r.Header["X-Amz-Content-Sha256"] = []string{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"} }},
	} {
		r := signed(t, now, "body", nil)
		c.change(r)
		_, err := verifier("cloudfront", "").Verify(r, []byte("body"), now)
		if got := code(err); got != c.want || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s: …%s…", c.name, err, c.want, c.says)
		}
		if e, ok := IsRefusal(err); ok && e.Status != http.StatusForbidden {
			t.Errorf("%s: status %d", c.name, e.Status)
		}
	}
}

func TestVerify_DateHeaderWillDo(t *testing.T) {
	now := at(t, "20260514T120000Z")
	for _, date := range []string{"Thu, 14 May 2026 12:00:00 GMT", "20260514T120000Z"} {
		r := &Request{Method: "GET", Path: "/", Host: "h", Header: http.Header{"Date": {date}}}
		s := Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: "r", Service: "cloudfront"}
		sc := s.scope(now)
		sig := signature(testSecret, sc, now, canonicalHead(r, []string{"date", "host"})+hash(nil))
		r.Header["Authorization"] = []string{algorithm + " Credential=" + testKey + "/" + sc.String() + ",SignedHeaders=date;host,Signature=" + sig}
		if _, err := verifier("cloudfront", "").Verify(r, nil, now); err != nil {
			t.Errorf("%s: %v", date, err)
		}
	}
}

func TestVerify_Clock(t *testing.T) {
	now := at(t, "20260514T120000Z")
	for _, c := range []struct {
		skew time.Duration
		says string
	}{
		{0, ""}, {15 * time.Minute, ""}, {-15 * time.Minute, ""},
		{15*time.Minute + time.Second, "Signature not yet current: 20260514T121501Z is still later than 20260514T121500Z (20260514T120000Z + 15 min.)"},
		{-15*time.Minute - time.Second, "Signature expired: 20260514T114459Z is now earlier than 20260514T114500Z (20260514T120000Z - 15 min.)"},
	} {
		_, err := verifier("cloudfront", "").Verify(signed(t, now.Add(c.skew), "", nil), nil, now)
		if c.says == "" && err != nil || c.says != "" && (code(err) != "SignatureDoesNotMatch" || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v: %v", c.skew, err)
		}
	}
}

func TestVerify_PresignedForm(t *testing.T) {
	now := at(t, "20260514T120000Z")
	replace := func(old, new string) func(*Request) {
		return func(r *Request) { r.Query = strings.Replace(r.Query, old, new, 1) }
	}
	for _, c := range []struct {
		name, want string
		late       time.Duration
		change     func(*Request)
	}{
		{"at once", "", 0, nil},
		{"just in time", "", time.Hour, nil},
		{"late", "RequestExpired", time.Hour + time.Second, nil},
		{"early", "SignatureDoesNotMatch", -16 * time.Minute, nil},
		{"never expires", "IncompleteSignature", 0, replace("X-Amz-Expires=3600", "X-Amz-Expires=604801")},
		{"expires at once", "IncompleteSignature", 0, replace("X-Amz-Expires=3600", "X-Amz-Expires=0")},
		{"expires never said", "IncompleteSignature", 0, replace("X-Amz-Expires=3600&", "")},
		{"longer than signed", "SignatureDoesNotMatch", 0, replace("X-Amz-Expires=3600", "X-Amz-Expires=3601")},
		{"odd date", "IncompleteSignature", 0, replace("X-Amz-Date=20260514T120000Z", "X-Amz-Date=now")},
		{"other algorithm", "IncompleteSignature", 0, replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")},
		{"parameter added", "SignatureDoesNotMatch", 0, func(r *Request) { r.Query += "&Marker=x" }},
		{"parameter dropped", "SignatureDoesNotMatch", 0, replace("MaxItems=1&", "")},
		{"token added", "InvalidClientTokenId", 0, func(r *Request) { r.Query += "&X-Amz-Security-Token=t" }},
		{"second date wins nothing", "SignatureDoesNotMatch", 0, func(r *Request) { r.Query += "&X-Amz-Date=20300101T000000Z" }},
	} {
		r := &Request{Method: "GET", Path: "/2020-05-31/distribution", Query: "MaxItems=1", Host: "h", Header: http.Header{}}
		Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: "r", Service: "cloudfront"}.presign(r, time.Hour, now)
		if c.change != nil {
			c.change(r)
		}
		_, err := verifier("cloudfront", "").Verify(r, nil, now.Add(c.late))
		if got := code(err); got != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// presign adds the parameters of a presigned request, which has no body, to r.Query. Headers in
// r.Header must be sent with it.
func (s Signer) presign(r *Request, expires time.Duration, now time.Time) {
	names, sc := signable(r), s.scope(now)
	for _, p := range [][2]string{
		{"X-Amz-Algorithm", algorithm},
		{"X-Amz-Credential", s.AccessKeyID + "/" + sc.String()},
		{"X-Amz-Date", now.UTC().Format(timeLayout)},
		{"X-Amz-Expires", strconv.Itoa(int(expires / time.Second))},
		{"X-Amz-SignedHeaders", strings.Join(names, ";")},
		{"X-Amz-Security-Token", s.SessionToken},
	} {
		if p[1] != "" {
			r.Query = strings.TrimPrefix(r.Query+"&"+p[0]+"="+escape(p[1]), "&")
		}
	}
	sig := signature(s.SecretAccessKey, sc, now, canonicalHead(r, names)+hash(nil))
	r.Query += "&X-Amz-Signature=" + sig
}

func TestVerify_PayloadDeclared(t *testing.T) {
	now := at(t, "20260514T120000Z")
	declare := func(v string) func(*Request) {
		return func(r *Request) { r.Header["X-Amz-Content-Sha256"] = []string{v} }
	}
	v := verifier("cloudfront", "")
	for _, c := range []struct{ declared, sent, want string }{
		{hash([]byte("a")), "a", ""},
		{hash([]byte("a")), "b", "SignatureDoesNotMatch"},
		{unsignedPayload, "anything", ""},
		{strings.ToUpper(hash([]byte("a"))), "a", "SignatureDoesNotMatch"},
	} {
		r := signed(t, now, "", declare(c.declared))
		if _, err := v.Verify(r, []byte(c.sent), now); code(err) != c.want {
			t.Errorf("%s %s: %v", c.declared, c.sent, err)
		}
	}
}

// The session token reaches the lookup, and what the lookup says comes back.
func TestVerify_Lookup(t *testing.T) {
	now := at(t, "20260514T120000Z")
	r := &Request{Method: "GET", Path: "/", Host: "h", Header: http.Header{}}
	Signer{AccessKeyID: "ASIA1", SecretAccessKey: "s", SessionToken: "tok", Region: "r", Service: "cloudfront"}.Sign(r, nil, now)
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		err  error
		want string
	}{{nil, ""}, {ErrExpiredToken, "ExpiredToken"}, {ErrUnknownKey, "InvalidClientTokenId"}, {broken, "other: disk on fire"}} {
		v := &Verifier{Services: []string{"cloudfront"}, Lookup: func(id, token string) (string, error) {
			if id != "ASIA1" || token != "tok" {
				t.Errorf("looked up %q %q", id, token)
			}
			return "s", c.err
		}}
		if _, err := v.Verify(r, nil, now); code(err) != c.want {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

func TestCanonicalPath(t *testing.T) {
	for in, want := range map[string]string{
		"": "/", "/": "/", "//": "/", "/a": "/a", "/a/": "/a/", "/./": "/", "/a/./b": "/a/b", "/a/../b": "/b", "/../..": "/",
		"/%20a": "/%2520a", "/a:b": "/a%3Ab", "/~-._": "/~-._",
	} {
		if got := canonicalPath(in); got != want {
			t.Errorf("%q: got %q want %q", in, got, want)
		}
	}
}

func TestCanonicalQuery(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "WithTags": "WithTags=", "b=2&a=1": "a=1&b=2", "a=2&a=1": "a=1&a=2", "a-b=1&a=1": "a=1&a-b=1",
		"a=%7e~": "a=~~", "a=b c": "a=b%20c", "a=+": "a=%20", "a=%2B": "a=%2B", "a=%zz%4": "a=%25zz%254", "&&a=1&": "a=1",
		"a=b=c": "a=b%3Dc", "a=%c3%a4": "a=%C3%A4", "X-Amz-Signature=x&a=1": "a=1",
	} {
		if got := canonicalQuery(in); got != want {
			t.Errorf("%q: got %q want %q", in, got, want)
		}
	}
}

// No request, however odd, does more than being refused.
func FuzzVerify(f *testing.F) {
	f.Add("GET", "/x/../y", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb", "h", "", "")
	f.Add("POST", "/", "", "h", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260514/r/cloudfront/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20260514T120000Z")
	f.Fuzz(func(t *testing.T, method, path, query, host, authorization, date string) {
		h := http.Header{"X-Amz-Date": {date}}
		if authorization != "" {
			h.Set("Authorization", authorization)
		}
		_, err := verifier("cloudfront", "").Verify(&Request{method, path, query, host, h}, nil, at(t, "20260514T120000Z"))
		if _, ok := IsRefusal(err); !ok {
			t.Fatalf("%v", err)
		}
	})
}
