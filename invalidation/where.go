package invalidation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxValues is how many values a condition may have.
const MaxValues = 16

// Conditions narrow all items of an invalidation to a part of the objects that they name: of each condition
// that has values, one must hold. The zero value narrows nothing.
type Conditions struct {
	Status       []string  // codes and classes: "404", "4xx"
	ContentType  []string  // "text/css", "image/*"
	Host         []string  // by which viewers ask for it
	StoredBefore time.Time // in milliseconds; zero: no such condition
}

// Where is Conditions, parsed. It is immutable. nil narrows nothing.
type Where struct {
	status, types, hosts []string // canonical: in lower case, sorted, each once
	before               int64    // nanoseconds since 1970; unbounded: no such condition
	cells                []string // where its rules are filed; see conditional.go
}

const unbounded = 1<<63 - 1

// WhereError is ParseWhere's refusal of a condition.
type WhereError struct {
	Field string // of Conditions
	Value string
	Hint  string // a sentence: what to do
}

func (e *WhereError) Error() string {
	return fmt.Sprintf("invalid condition %s %s", e.Field, quote(e.Value))
}

// ParseWhere reads conditions; nil if there are none. The error is a *WhereError.
func ParseWhere(c Conditions) (*Where, error) {
	w := &Where{before: unbounded}
	var err error
	if w.status, err = values("Status", c.Status, parseStatus); err != nil {
		return nil, err
	}
	// A code beside its class says nothing.
	w.status = slices.DeleteFunc(w.status, func(v string) bool {
		return v[1] != 'x' && slices.Contains(w.status, v[:1]+"xx")
	})
	if w.types, err = values("ContentType", c.ContentType, parseType); err != nil {
		return nil, err
	}
	if w.hosts, err = values("Host", c.Host, parseHost); err != nil {
		return nil, err
	}
	if t := c.StoredBefore; !t.IsZero() {
		if t.Year() < 1970 || t.Year() > 2200 {
			return nil, &WhereError{"StoredBefore", t.Format(time.RFC3339), "Give a time such as 2026-05-01T12:00:00Z."}
		}
		w.before = t.Add(time.Millisecond - 1).Truncate(time.Millisecond).UnixNano() // as APIs show times; rather more than less
	}
	if len(w.status)+len(w.types)+len(w.hosts) == 0 && w.before == unbounded {
		return nil, nil
	}
	w.cells = w.file()
	return w, nil
}

// values parses the values of one condition.
func values(field string, in []string, parse func(string) (string, string)) ([]string, error) {
	if len(in) > MaxValues {
		return nil, &WhereError{field, in[MaxValues], fmt.Sprintf("Give at most %d values.", MaxValues)}
	}
	var out []string
	for _, v := range in {
		value, hint := parse(strings.ToLower(strings.Trim(v, " \t")))
		if hint != "" {
			return nil, &WhereError{field, v, hint}
		}
		out = append(out, value)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func parseStatus(v string) (value, hint string) {
	const say = "Give a status such as 404, or a class such as 4xx."
	if len(v) != 3 || v[0] < '1' || v[0] > '5' {
		return "", say
	}
	if _, err := strconv.ParseUint(v, 10, 16); err != nil && v[1:] != "xx" {
		return "", say
	}
	if v == "206" {
		v = "200" // a part that is stored is of such an answer
	}
	return v, ""
}

func parseType(v string) (value, hint string) {
	const say = "Give a type such as text/css, or image/* for all kinds of images."
	v = mediaType(v)
	major, minor, ok := strings.Cut(v, "/")
	if !ok || !isToken(major) || minor != "*" && !isToken(minor) || len(v) > 255 {
		return "", say
	}
	return v, ""
}

// isToken leaves '*' out, which stands for itself in no type.
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

func parseHost(v string) (value, hint string) {
	v = strings.TrimSuffix(v, ".")
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			v = ""
		}
		if v == "" {
			break
		}
	}
	if v == "" || len(v) > 253 {
		return "", "Give a host name such as www.example.com, without a scheme, a port or a *."
	}
	return v, ""
}

// mediaType returns a Content-Type without parameters.
func mediaType(v string) string {
	if i := strings.IndexByte(v, ';'); i >= 0 {
		v = v[:i]
	}
	return strings.Trim(v, " \t")
}

// Conditions returns what w was parsed from, in canonical form.
func (w *Where) Conditions() Conditions {
	if w == nil {
		return Conditions{}
	}
	c := Conditions{Status: slices.Clone(w.status), ContentType: slices.Clone(w.types), Host: slices.Clone(w.hosts)}
	if w.before != unbounded {
		c.StoredBefore = time.Unix(0, w.before).UTC()
	}
	return c
}

// String is for people; two that mean the same read the same.
func (w *Where) String() string {
	if w == nil {
		return ""
	}
	var parts []string
	say := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+" "+strings.Join(values, ", "))
		}
	}
	say("status", w.status)
	say("content type", w.types)
	say("host", w.hosts)
	if w.before != unbounded {
		parts = append(parts, "stored before "+time.Unix(0, w.before).UTC().Format(time.RFC3339Nano))
	}
	return strings.Join(parts, "; ")
}

// Matches tells whether the conditions hold for the object, or might: what is not known of it yet holds.
// It is their definition, as Item.Matches is the language's.
func (w *Where) Matches(s *Subject) bool {
	switch {
	case w == nil:
		return true
	case len(w.hosts) > 0 && s.Host != "" && !slices.Contains(w.hosts, s.Host):
		return false
	case s.Status == 0:
		return true
	}
	return w.meansStatus(s.Status) && w.meansType(s.ContentType) && (w.before == unbounded || s.Stored.UnixNano() < w.before)
}

func (w *Where) meansStatus(code int) bool {
	if len(w.status) == 0 {
		return true
	}
	digits := statusDigits(code)
	for _, v := range w.status {
		if v[0] == digits[0] && (v[1] == 'x' || v[1] == digits[1] && v[2] == digits[2]) {
			return true
		}
	}
	return false
}

func (w *Where) meansType(contentType string) bool {
	if len(w.types) == 0 {
		return true
	}
	is := mediaType(contentType)
	for _, v := range w.types {
		prefix, all := strings.CutSuffix(v, "*")
		if all && len(is) > len(prefix) && folds(is[:len(prefix)], prefix) || folds(is, v) {
			return true
		}
	}
	return false
}

// folds tells whether s in lower case is like; ASCII only, which is all there is in a type.
func folds(s, like string) bool {
	if len(s) != len(like) {
		return false
	}
	for i := range len(s) {
		if lower(s[i]) != like[i] {
			return false
		}
	}
	return true
}

// statusDigits is a status as Where has it: that of a part is that of the whole.
func statusDigits(code int) [3]byte {
	if code == 206 {
		code = 200
	}
	return [3]byte{'0' + byte(code/100), '0' + byte(code/10%10), '0' + byte(code%10)}
}
