package sigv4

import (
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// Signer signs requests with one access key for one region and service. Any goroutine may use it.
type Signer struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" for a key that lasts
	Region          string
	Service         string
}

// unsigned are the headers that somebody on the way may change.
var unsigned = map[string]bool{
	"Authorization": true, "User-Agent": true, "X-Amzn-Trace-Id": true, "Expect": true, "Connection": true,
	"Transfer-Encoding": true, "Accept-Encoding": true, "Te": true, "Trailer": true, "Upgrade": true,
}

// Sign sets X-Amz-Date, X-Amz-Security-Token and Authorization in r.Header, which must not be nil.
func (s Signer) Sign(r *Request, body []byte, now time.Time) {
	r.Header["X-Amz-Date"] = []string{now.UTC().Format(timeLayout)}
	delete(r.Header, "X-Amz-Security-Token")
	if s.SessionToken != "" {
		r.Header["X-Amz-Security-Token"] = []string{s.SessionToken}
	}
	payload := r.get("x-amz-content-sha256")
	if payload == "" {
		payload = hash(body)
	}
	names := signable(r)
	sc := s.scope(now)
	sig := signature(s.SecretAccessKey, sc, now, canonicalHead(r, names)+payload)
	r.Header["Authorization"] = []string{algorithm + " Credential=" + s.AccessKeyID + "/" + sc.String() +
		", SignedHeaders=" + strings.Join(names, ";") + ", Signature=" + sig}
}

func (s Signer) scope(now time.Time) scope {
	return scope{now.UTC().Format("20060102"), s.Region, s.Service}
}

func signable(r *Request) []string {
	names := []string{"host"}
	for name := range r.Header {
		if !unsigned[textproto.CanonicalMIMEHeaderKey(name)] {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
