package httpserver

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// refusePlain is the Refuse of a Server that has none.
func refusePlain(w ResponseWriter, status int, reason string) {
	text := fmt.Sprintf("%d %s: %s\n", status, statusText(status), reason)
	w.Begin(status, message.Fields{
		{Name: "Date", Value: time.Now().UTC().Format(http.TimeFormat)},
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
	}, int64(len(text)))
	w.Write([]byte(text))
}

func statusText(status int) string {
	if status == statusHeaderTooLarge {
		return "Request Header Too Large"
	}
	return http.StatusText(status)
}

// rawAnswer is the ResponseWriter of refusals: a complete HTTP/1.1 answer in memory, the last one on
// its connection, fields in the order given.
type rawAnswer struct {
	head    bool
	begun   bool
	status  int
	fields  message.Fields
	body    bytes.Buffer
	aborted bool
}

// maxRefusalBody bounds an error document.
const maxRefusalBody = 64 << 10

func (a *rawAnswer) Begin(status int, fields message.Fields, length int64) error {
	if a.begun {
		return errBegun
	}
	a.begun, a.status, a.fields = true, status, fields
	return nil
}

func (a *rawAnswer) Write(p []byte) (int, error) {
	switch {
	case !a.begun:
		return 0, errNotBegun
	case a.body.Len()+len(p) > maxRefusalBody:
		return 0, errTooLong
	}
	return a.body.Write(p)
}

func (a *rawAnswer) Flush() error { return nil }
func (a *rawAnswer) Abort()       { a.aborted = true }

// bytes lays the answer out; nothing after an Abort.
func (a *rawAnswer) bytes() []byte {
	if a.aborted {
		return nil
	}
	if !a.begun {
		a.status = 500
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", a.status, statusText(a.status))
	for _, f := range a.fields {
		if !framing(http.CanonicalHeaderKey(f.Name)) {
			out.WriteString(f.Name + ": " + f.Value + "\r\n")
		}
	}
	fmt.Fprintf(&out, "Content-Length: %d\r\nConnection: close\r\n\r\n", a.body.Len())
	if !a.head {
		out.Write(a.body.Bytes())
	}
	return out.Bytes()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
