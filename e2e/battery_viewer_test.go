package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// viewer is a raw connection to an edge: it sends octets and reads answers.
type viewer struct {
	c      socket
	br     *bufio.Reader
	h2     *h2  // nil: it speaks HTTP/1.1
	closes bool // the last answer said so
}

// socket is plain TCP or TLS.
type socket interface {
	net.Conn
	CloseWrite() error
}

// manner is how viewers of a battery come.
type manner string

const (
	overTCP   manner = "http"
	overTLS   manner = "https"
	overHTTP2 manner = "HTTP/2"
)

// dial connects to the edge. With HTTP/2 the name says whose protocols are spoken; HTTP/1.1 over TLS gives none,
// and so may ask for any.
func (f *field) dial(name string) (*viewer, error) {
	if f.manner == overTCP {
		return dialViewer(f.edge)
	}
	config := &tls.Config{InsecureSkipVerify: true}
	if f.manner == overHTTP2 {
		config.NextProtos, config.ServerName = []string{"h2"}, name
	}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", f.secure, config)
	if err != nil {
		return nil, err
	}
	v := newViewer(c)
	if f.manner == overHTTP2 {
		if p := c.ConnectionState().NegotiatedProtocol; p != "h2" {
			return nil, fmt.Errorf("ALPN chose %q, not h2", p)
		}
		v.h2, err = newH2(c)
	}
	return v, err
}

// dialViewer connects to the host:port of an edge. Whatever it waits for comes within ten seconds or
// is an error.
func dialViewer(address string) (*viewer, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return newViewer(c.(*net.TCPConn)), nil
}

func newViewer(c socket) *viewer {
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return &viewer{c: c, br: bufio.NewReader(c)}
}

// send sends octets in pieces of step; an edge that refuses early may have closed before the end.
func (v *viewer) send(octets string, step int) {
	if v.h2 != nil {
		v.h2.queue, _ = inFrames(octets)
		v.h2.openNext()
		return
	}
	for rest := octets; rest != ""; {
		n := min(step, len(rest))
		if _, err := io.WriteString(v.c, rest[:n]); err != nil {
			return
		}
		rest = rest[n:]
	}
}

// heard is an answer, with the octets of its head and body.
type heard struct {
	status int
	header http.Header
	text   string // head and body as they came, the head's names in the canonical form
	body   string
	cut    bool // its body has not come to its end
	closes bool // it says that it is the connection's last
}

// hear reads the next answer; io.EOF when the edge has closed the connection instead.
func (v *viewer) hear(method string) (*heard, error) {
	if v.h2 != nil {
		return v.h2.hear()
	}
	resp, err := http.ReadResponse(v.br, &http.Request{Method: method})
	if err == io.ErrUnexpectedEOF || isReset(err) {
		err = io.EOF
	}
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil && err != io.ErrUnexpectedEOF && !isReset(err) {
		return nil, err
	}
	var head bytes.Buffer
	resp.Header.Write(&head)
	return &heard{status: resp.StatusCode, header: resp.Header, body: string(body), cut: err != nil, closes: resp.Close,
		text: resp.Status + "\r\n" + head.String() + "\r\n" + string(body)}, nil
}

func isReset(err error) bool { return err != nil && strings.Contains(err.Error(), "connection reset") }

// rest says that the viewer sends no more, and returns what the edge still says before it closes.
func (v *viewer) rest() (string, error) {
	if v.h2 != nil {
		v.h2.frames.WriteGoAway(0, http2.ErrCodeNo, nil)
		v.c.CloseWrite()
		for {
			if err := v.h2.read(); err == io.EOF || err == io.ErrUnexpectedEOF || isReset(err) {
				return "", nil
			} else if err != nil {
				return err.Error(), nil
			}
		}
	}
	v.c.CloseWrite()
	b, err := io.ReadAll(v.br)
	if isReset(err) {
		err = nil
	}
	return string(b), err
}

func (v *viewer) close() { v.c.Close() }

// methodOf is the method of the i-th request in octets, as far as it matters for reading the answer.
func methodOf(octets string, i int) string {
	if requests := requestLine.FindAllStringSubmatch(octets, -1); i < len(requests) {
		return requests[i][1]
	}
	return "GET"
}

var requestLine = regexp.MustCompile(`(?m)^([A-Za-z]+) \S+ HTTP/1\.[01]\r$`)

// expanded reads Go's escapes and {x*n}, n times x. A quote may stand for itself.
func expanded(text string) (string, error) {
	text = escapeOrQuote.ReplaceAllStringFunc(text, func(m string) string {
		if m == `"` {
			return `\"`
		}
		return m
	})
	s, err := strconv.Unquote(`"` + text + `"`)
	if err != nil {
		return "", fmt.Errorf("%q: %w", text, err)
	}
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		g := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(g[2])
		return strings.Repeat(g[1], n)
	}), nil
}

var escapeOrQuote = regexp.MustCompile(`\\.|"`)

var repeated = regexp.MustCompile(`(?s)\{([^{}]+)\*(\d+)\}`)
