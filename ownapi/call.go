package ownapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/journal"
)

// call is one admitted request to one route.
type call struct {
	*http.Request
	h    *Handler
	key  auth.AccessKey
	body []byte
	by   journal.Actor
}

// parameters checks that the query has none but these, each once, and returns a lookup.
func (c *call) parameters(known ...string) (func(string) string, error) {
	all, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, invalid("The query cannot be read: %v.", err)
	}
	for name, values := range all {
		switch {
		case len(name) > 6 && name[:6] == "X-Amz-": // of a presigned request
		case !contains(known, name):
			return nil, invalid("The query parameter %.60q is unknown here.", name)
		case len(values) > 1:
			return nil, invalid("The query parameter %.60q is there more than once.", name)
		}
	}
	return all.Get, nil
}

// number reads a parameter between least and most; "" is otherwise.
func number(name, s string, least, otherwise, most int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, invalid("%s must be an integer from %d to %d, got %.40q.", name, least, most, s)
	}
	return n, nil
}

// page reads marker and max of a list.
func (c *call) page() (marker string, max int, err error) {
	get, err := c.parameters("marker", "max")
	if err != nil {
		return "", 0, err
	}
	max, err = number("max", get("max"), 1, maxPage, maxPage)
	return get("marker"), max, err
}

const maxPage = 100

// decode reads the body strictly into v. What has a body has no parameters.
func (c *call) decode(v any) error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	if len(bytes.TrimSpace(c.body)) == 0 {
		return invalid("The body is missing. Send JSON: {} if there is nothing to say.")
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalid("The body cannot be read as JSON of the expected form: %v.", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return invalid("There is text after the end of the body's JSON.")
	}
	return nil
}

// answer is a response, ready to be written in one piece.
type answer struct {
	status     int
	retryAfter int
	body       []byte
}

func encode(status int, v any) *answer {
	if v == nil {
		return &answer{status: http.StatusNoContent}
	}
	if raw, ok := v.(json.RawMessage); ok {
		return &answer{status: status, body: raw}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // paths are full of &
	if err := e.Encode(v); err != nil {
		panic("BUG: an answer that JSON cannot hold: " + err.Error())
	}
	return &answer{status: status, body: b.Bytes()}
}

func (a *answer) write(w http.ResponseWriter) {
	h := w.Header()
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	if a.status == http.StatusNoContent {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may be gone; there is nobody to tell
}

// instant is a time as this API writes it; the zero one is null.
type instant time.Time

const instantLayout = "2006-01-02T15:04:05.000Z"

func (t instant) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + time.Time(t).UTC().Format(instantLayout) + `"`), nil
}

// ms is a duration in milliseconds, with the fraction that is worth showing.
func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// actor is journal.Actor in this API's words.
type actor struct {
	User      string `json:"user"`
	AccessKey string `json:"accessKey"`
	Address   string `json:"address"`
}

// list makes an empty list of nil: null is no list to a client.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}
