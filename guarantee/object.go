package guarantee

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Kind is how the origin serves an object.
type Kind uint8

const (
	Small       Kind = iota // a few lines, good for an hour
	Slow                    // 16 KiB that come in pieces, sometimes none at the end
	Revalidated             // good for a second, then asked for by its ETag
	Background              // good for a second, may be served stale while it is renewed
	Ranged                  // 64 KiB, parts of it are asked for
	Dated                   // good for a second; its only validator is a date that never changes
	Variant                 // differs by query string, which is spelled in several ways
	Failing                 // an error in three of four versions
	Encoded                 // gzip for those who accept it
	Compressed              // sent as it is, in pieces: a cache may compress it
	Written                 // viewers change it, by POST
	Tongued                 // differs by Accept-Language, where the cache's key has that
	Shaded                  // differs by a cookie, the same
	Large                   // good for a second, then asked for by its ETag; parts of it are asked for
	Rebuilt                 // as large, and its ETag never changes; see longAgo
	kinds
)

// turns is how many kinds there are about as many objects of; of the others, which are large, there are a few.
const turns = int(Large)

// fewLarge is how many.
const fewLarge = 2

var kindNames = [kinds]string{
	"small", "slow", "revalidated", "background", "ranged", "dated", "variant", "failing", "encoded", "compressed", "written", "tongued", "shaded", "large", "rebuilt",
}

func (k Kind) String() string { return kindNames[k] }

// variants is how many objects share a path and differ by query string.
const variants = 3

// Object is one URL of the origin. All but its version is fixed.
type Object struct {
	Number int
	Kind   Kind
	Path   string
	Query  string   // without "?"
	Tags   []string // that every version has; see edition

	least   int           // lines that every version has
	version atomic.Uint64 // what the origin shows; from 1 on
	race    race
	log     record
}

// Target is the object's path and query.
func (o *Object) Target() string {
	if o.Query == "" {
		return o.Path
	}
	return o.Path + "?" + o.Query
}

func (o *Object) String() string { return o.Target() }

var extensions = [...]string{"css", "js", "png", "html"}

const (
	sections = 6  // top folders
	topics   = 16 // tags
	editions = 24 // tags that a version has, and the next one has not
)

// newObjects makes n objects, whose paths and tags give every kind of selector something to match and
// something to leave, and besides a few large ones of that many octets; 0: none.
func newObjects(n int, large int64) []*Object {
	objects := make([]*Object, n, n+int(kinds)*fewLarge)
	for i := range objects {
		objects[i] = newObject(i, Kind(i%turns), i/turns)
	}
	for kind := Large; kind < kinds && large > 0; kind++ {
		for turn := range fewLarge {
			o := newObject(len(objects), kind, turn)
			o.least = int(large / lineSize)
			objects = append(objects, o)
		}
	}
	all := &children{}
	for _, o := range objects {
		o.log.children = all
	}
	return objects
}

// leastLines of each kind.
var leastLines = [kinds]int{4, 256, 4, 4, 1024, 4, 4, 4, 4, 64, 4, 4, 4}

// newObject makes the object with a number, which is that one of its kind.
func newObject(i int, kind Kind, turn int) *Object {
	name := turn
	o := &Object{Number: i, Kind: kind, least: leastLines[kind]}
	if kind == Variant {
		name = turn / variants
		o.Query = "v[]=" + strconv.Itoa(turn%variants)
	}
	o.Path = fmt.Sprintf("/s%d/%s/n%03d.%s", name%sections, kind, name, extensions[name%len(extensions)])
	o.Tags = []string{"topic" + strconv.Itoa((i*7+turn)%topics), "kind-" + kind.String()}
	o.version.Store(1)
	return o
}

// etag is the validator of one version.
func (o *Object) etag(version uint64) string {
	return fmt.Sprintf(`"%d-%d"`, o.Number, version)
}

// versionOf reads a validator of this object; the weak form and a suffix that a cache appended for an
// encoding are understood.
func (o *Object) versionOf(etag string) (uint64, bool) {
	etag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`)
	number, version, ok := strings.Cut(etag, "-")
	if !ok || number != strconv.Itoa(o.Number) {
		return 0, false
	}
	version, _, _ = strings.Cut(version, "-")
	v, err := strconv.ParseUint(version, 10, 64)
	return v, err == nil
}

// validated tells whether the object has an ETag for each version.
func (o *Object) validated() bool { return o.Kind != Dated && o.Kind != Failing && o.Kind != Rebuilt }

// timed tells whether the object has a date for each version beside its ETag.
func (o *Object) timed() bool { return o.Kind == Small || o.Kind == Revalidated }

// date is when a version is said to have been made.
func (o *Object) date(version uint64) string {
	return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(version) * time.Second).Format(http.TimeFormat)
}

// types are what objects of different versions are, where that may change.
var types = [...]string{"text/plain", "text/css", "image/svg+xml"}

// contentType of one version. Of what comes in parts, or is confirmed without a word of its version, it never changes.
func (o *Object) contentType(version uint64) string {
	switch o.Kind {
	case Ranged, Dated, Encoded, Compressed, Large, Rebuilt:
		return types[0]
	}
	return types[version%uint64(len(types))]
}

// edition is the tag that one version of an object has beside those of all; "": none. What is confirmed without a word of its
// version, or put together of several, has none: nobody could say whose it is.
func (o *Object) edition(version uint64) string {
	if o.Kind == Dated || o.Kind == Rebuilt {
		return ""
	}
	return edition + strconv.FormatUint((uint64(o.Number)*5+version)%editions, 10)
}

// edition is what the tags of versions begin with.
const edition = "edition"

// shades are the values by which what is tongued or shaded differs, in the distribution that is made for a run; "": nothing is said.
var shades = [...]string{"", "de", "pt-BR"}

// shadeCookie has the shade of what differs by a cookie.
const shadeCookie = "shade"

// differs tells whether the object does by the request's fields.
func (o *Object) differs() bool { return o.Kind == Tongued || o.Kind == Shaded }

// shadeOf reads which one a request is for.
func (o *Object) shadeOf(r *http.Request) string {
	if o.Kind == Tongued {
		return r.Header.Get("Accept-Language")
	}
	if c, err := r.Cookie(shadeCookie); err == nil {
		return c.Value
	}
	return ""
}

// hosted tells whether a cache key has the host, in the distribution that is made for a run.
func (o *Object) hosted() bool { return o.Kind == Background }

// large tells whether it is one of those of which nobody wants the whole often.
func (o *Object) large() bool { return o.Kind >= Large }

// status of one version.
func (o *Object) status(version uint64) int {
	if o.Kind == Failing {
		return [...]int{200, 404, 410, 403}[version%4]
	}
	return 200
}
