package distribution

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// fate is what becomes of a viewer's header on the way to the origin.
type fate uint8

const (
	ordinary  fate = iota // goes when selected; the legacy settings send it unselected too
	optional              // goes when selected only
	forbidden             // never goes, and no policy may select it
	unlisted              // goes with the legacy settings or a policy for all headers; no policy may list it
	edges                 // the edge makes it itself: ranges, conditions, Via; no policy may list it
	special               // has rules of its own in forward.go
)

// fates of the headers that CloudFront's tables name, by lower-case name. All others are ordinary.
var fates = map[string]fate{
	"accept":                 optional,
	"accept-charset":         optional,
	"accept-language":        optional,
	"referer":                optional,
	"x-http-method-override": optional,

	"cache-control": unlisted,
	"max-forwards":  unlisted,
	"pragma":        unlisted,

	"connection":          forbidden,
	"content-length":      forbidden,
	"expect":              forbidden,
	"keep-alive":          forbidden,
	"proxy-authenticate":  forbidden,
	"proxy-authorization": forbidden,
	"proxy-connection":    forbidden,
	"request-range":       forbidden, // an origin that honours it would answer a part under the key of the whole
	"te":                  forbidden,
	"trailer":             forbidden,
	"transfer-encoding":   forbidden,
	"upgrade":             forbidden,
	"x-amz-cf-id":         forbidden,
	"x-forwarded-proto":   forbidden,
	"x-real-ip":           forbidden,

	"cdn-loop":            edges,
	"if-match":            edges,
	"if-modified-since":   edges,
	"if-none-match":       edges,
	"if-range":            edges,
	"if-unmodified-since": edges,
	"range":               edges,
	"via":                 edges,

	"accept-encoding": special,
	"authorization":   special,
	"cookie":          special,
	"host":            special,
	"user-agent":      special,
	"x-forwarded-for": special,
}

func fateOf(lower string) fate {
	if f, ok := fates[lower]; ok {
		return f
	}
	if strings.HasPrefix(lower, "x-edge-") || strings.HasPrefix(lower, "cloudfront-") {
		return forbidden // CloudFront-* says what the edge knows; a viewer's own claim must not pass
	}
	return ordinary
}

// bodyHeaders describe a request's body: without them it could not be read, so they go with the
// methods that carry one and are never cached.
var bodyHeaders = map[string]bool{
	"content-disposition": true, "content-encoding": true, "content-language": true,
	"content-location": true, "content-md5": true, "content-type": true,
}

// made names a header that the edge makes from what it knows of the viewer.
type made uint8

const (
	madeNone made = iota
	madeForwardedProto
	madeHTTPVersion
	madeAddress
	madeTLS
	madeIsAndroid
	madeIsDesktop
	madeIsIOS
	madeIsMobile
	madeIsSmartTV
	madeIsTablet
	madeUnknown // a place, an autonomous system, a TLS fingerprint: the edge does not know it and adds nothing
)

// cloudFrontHeader is a header that a policy can ask for. Its name is lower case.
type cloudFrontHeader struct {
	made   made
	inKey  bool   // may be in a cache policy
	canon  string // as sent to the origin
	device bool
}

var cloudFrontHeaders = func() map[string]cloudFrontHeader {
	m := map[string]cloudFrontHeader{}
	add := func(name string, h cloudFrontHeader) {
		h.canon = "CloudFront-" + name
		m[strings.ToLower(h.canon)] = h
	}
	add("Forwarded-Proto", cloudFrontHeader{made: madeForwardedProto, inKey: true})
	add("Viewer-Http-Version", cloudFrontHeader{made: madeHTTPVersion, inKey: true})
	add("Viewer-Address", cloudFrontHeader{made: madeAddress})
	add("Viewer-TLS", cloudFrontHeader{made: madeTLS})
	for name, d := range map[string]made{"Android": madeIsAndroid, "Desktop": madeIsDesktop, "IOS": madeIsIOS,
		"Mobile": madeIsMobile, "SmartTV": madeIsSmartTV, "Tablet": madeIsTablet} {
		add("Is-"+name+"-Viewer", cloudFrontHeader{made: d, inKey: true, device: true})
	}
	for _, name := range []string{"Viewer-Country", "Viewer-City", "Viewer-Country-Name", "Viewer-Country-Region",
		"Viewer-Country-Region-Name", "Viewer-Latitude", "Viewer-Longitude", "Viewer-Metro-Code", "Viewer-Postal-Code",
		"Viewer-Time-Zone", "Viewer-Header-Order", "Viewer-Header-Count", "Error-Uri", "Error-Args"} {
		add(name, cloudFrontHeader{made: madeUnknown, inKey: true})
	}
	for _, name := range []string{"Viewer-ASN", "Viewer-JA3-Fingerprint", "Viewer-JA4-Fingerprint"} {
		add(name, cloudFrontHeader{made: madeUnknown})
	}
	return m
}()

// appendMade appends the value of a made header; ok is false when there is nothing to say.
func appendMade(dst []byte, m made, r *message.Request) (_ []byte, ok bool) {
	switch m {
	case madeForwardedProto:
		return append(dst, r.Scheme...), true
	case madeHTTPVersion:
		dst = strconv.AppendInt(dst, int64(r.Major), 10)
		dst = append(dst, '.')
		return strconv.AppendInt(dst, int64(r.Minor), 10), true
	case madeAddress:
		if !r.Remote.IsValid() {
			return dst, false
		}
		dst = appendAddr(dst, r.Remote.Addr())
		dst = append(dst, ':')
		return strconv.AppendUint(dst, uint64(r.Remote.Port()), 10), true
	case madeTLS:
		if r.TLS == nil {
			return dst, false
		}
		dst = append(append(dst, r.TLS.Protocol...), ':')
		dst = append(append(dst, r.TLS.Cipher...), ':')
		return append(dst, r.TLS.Handshake...), true
	case madeIsAndroid, madeIsDesktop, madeIsIOS, madeIsMobile, madeIsSmartTV, madeIsTablet:
		return strconv.AppendBool(dst, isDevice(m, r.Fields.Get("User-Agent"))), true
	}
	return dst, false
}

func appendAddr(dst []byte, a netip.Addr) []byte { return a.Unmap().WithZone("").AppendTo(dst) }

// isDevice classifies by the few words that browsers of each kind have in common. It is a guess, as
// CloudFront's is; what is none of the others counts as a desktop.
func isDevice(m made, ua string) bool {
	tv := containsAny(ua, "SmartTV", "SMART-TV", "Smart-TV", "GoogleTV", "Apple TV", "AppleTV", "HbbTV", "Web0S", "BRAVIA", "AFTS", "Roku")
	tablet := !tv && (containsAny(ua, "iPad", "Tablet", "Kindle", "Silk/") ||
		strings.Contains(ua, "Android") && !strings.Contains(ua, "Mobile"))
	mobile := !tv && !tablet && containsAny(ua, "Mobile", "iPhone", "iPod", "Windows Phone", "BlackBerry", "Opera Mini")
	switch m {
	case madeIsAndroid:
		return strings.Contains(ua, "Android")
	case madeIsIOS:
		return containsAny(ua, "iPhone", "iPad", "iPod")
	case madeIsSmartTV:
		return tv
	case madeIsTablet:
		return tablet
	case madeIsMobile:
		return mobile
	}
	return !tv && !tablet && !mobile
}

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// named compares header names. Most differ in length already, which spares the hit path the letters.
func named(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
