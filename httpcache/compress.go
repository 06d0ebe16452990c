package httpcache

import (
	"slices"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// Compression says whether an answer is one that a cache compresses, and if not, why.
type Compression uint8

const (
	Compressible     Compression = iota
	StatusAsIs                   // only 200, 403 and 404 are compressed
	AlreadyEncoded               // the origin has chosen a content coding itself
	NoTransform                  // the origin says no-transform
	TypeAsIs                     // a media type that is not on the list: mostly those that are compressed already
	LengthUnknown                // no Content-Length
	LengthOutOfRange             // shorter than MinCompressed or longer than MaxCompressed
)

func (c Compression) String() string {
	return name(c, []string{"compressible", "status-as-is", "already-encoded", "no-transform", "type-as-is", "length-unknown", "length-out-of-range"})
}

// The lengths between which CloudFront compresses, in octets.
const (
	MinCompressed = 1_000
	MaxCompressed = 10_000_000
)

// CanCompress judges an origin's answer by CloudFront's rules, and by RFC 9110 section 7.7, which forbids it after
// no-transform. length is the body's, -1 when it is not known.
func CanCompress(status int, f message.Fields, length int64) Compression {
	switch {
	case status != 200 && status != 403 && status != 404:
		return StatusAsIs
	case f.Has("Content-Encoding"):
		return AlreadyEncoded
	case ParseCacheControl(f).NoTransform:
		return NoTransform
	case !compressibleType(f.Get("Content-Type")):
		return TypeAsIs
	case length < 0:
		return LengthUnknown
	case length < MinCompressed || length > MaxCompressed:
		return LengthOutOfRange
	}
	return Compressible
}

// compressibleTypes is CloudFront's list: by top-level type the subtypes.
var compressibleTypes = map[string]string{
	"application": " dash+xml eot font font-sfnt javascript json opentype otf pdf pkcs7-mime protobuf rss+xml truetype ttf" +
		" vnd.apple.mpegurl vnd.mapbox-vector-tile vnd.ms-fontobject wasm xhtml+xml xml x-font-opentype x-font-truetype" +
		" x-font-ttf x-httpd-cgi x-javascript x-mpegurl x-opentype x-otf x-perl x-ttf ",
	"font":  " eot opentype otf ttf ",
	"image": " svg+xml ",
	"text":  " css csv html javascript js plain richtext tab-separated-values xml x-component x-java-source x-script ",
}

func compressibleType(value string) bool {
	media, _, _ := strings.Cut(value, ";")
	top, sub, ok := strings.Cut(strings.ToLower(trim(media)), "/")
	return ok && sub != "" && !strings.Contains(sub, " ") && strings.Contains(compressibleTypes[top], " "+sub+" ")
}

// Compressed returns the fields of an answer whose body has been compressed with coding. A strong entity tag
// becomes weak, for the octets are others now; one that is malformed goes. So do digests of the octets as they
// were. Vary tells caches further on. f is not changed.
func Compressed(f message.Fields, coding string) message.Fields {
	out := make(message.Fields, 0, len(f)+2)
	for _, line := range f {
		switch strings.ToLower(line.Name) {
		case "content-length", "content-encoding", "content-md5", "digest", "content-digest", "repr-digest", "vary":
		case "etag":
			if tag := weakened(line.Value); tag != "" {
				out.Add(line.Name, tag)
			}
		default:
			out = append(out, line)
		}
	}
	out.Add("Content-Encoding", coding)
	vary := f.Joined("Vary")
	if names := VaryNames(f); vary == "" {
		vary = "Accept-Encoding"
	} else if !slices.Contains(names, "accept-encoding") && !slices.Contains(names, "*") {
		vary += ", Accept-Encoding"
	}
	out.Add("Vary", vary)
	return out
}

// weakened returns the weak form of an entity tag (RFC 9110 section 8.8.3), "" for what is none.
func weakened(tag string) string {
	opaque := strings.TrimPrefix(tag, "W/")
	if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return ""
	}
	for i := 1; i < len(opaque)-1; i++ {
		if c := opaque[i]; c == '"' || c <= ' ' || c == 0x7f {
			return ""
		}
	}
	return "W/" + opaque
}
