package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// recorder is an origin that writes down every octet which reaches it, and reads it as strictly as a
// request can be read: what an edge writes must have one meaning only, for the laxest origin too.
type recorder struct {
	l  net.Listener
	wg sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	rules   []rule
	seen    []*recorded
	busy    int // requests that have begun and neither ended nor broken off
	conns   map[net.Conn]bool
}

// recorded is one request as it arrived.
type recorded struct {
	line   string // the request line
	fields []string
	body   string
	octets string // all of the head
	whole  bool   // it has come to its end
	fault  error  // it is none that an edge may write
}

// rule is an answer to what contains a text; the first that fits is given.
type rule struct {
	contains string
	answer   func(*recorded) string
}

func newRecorder(address string) (*recorder, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	r := &recorder{l: l, conns: map[net.Conn]bool{}}
	r.changed = sync.NewCond(&r.mu)
	r.wg.Go(r.accept)
	return r, nil
}

func (r *recorder) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns[c] = true
		r.mu.Unlock()
		r.wg.Go(func() { r.serve(c) })
	}
}

func (r *recorder) close() {
	r.l.Close()
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// program says what is answered from now on; without rules, everything that came, for a day.
func (r *recorder) program(rules []rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = rules
}

// take waits until no request is half here and returns what has come since the last take.
func (r *recorder) take() ([]*recorded, error) {
	timeout := time.AfterFunc(patience, func() { r.mu.Lock(); r.changed.Broadcast(); r.mu.Unlock() })
	defer timeout.Stop()
	deadline := time.Now().Add(patience)
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.busy > 0 {
		if time.Now().After(deadline) {
			return nil, errors.New("the origin still waits for the end of a request")
		}
		r.changed.Wait()
	}
	seen := r.seen
	r.seen = nil
	return seen, nil
}

func (r *recorder) serve(c net.Conn) {
	defer func() {
		r.mu.Lock()
		delete(r.conns, c)
		r.mu.Unlock()
		c.Close()
	}()
	br := bufio.NewReader(c)
	for {
		if _, err := br.Peek(1); err != nil {
			return
		}
		q := &recorded{}
		r.mu.Lock()
		r.busy++
		r.seen = append(r.seen, q)
		r.mu.Unlock()
		x := readStrictly(br) // not into q: others may be looking at it
		r.mu.Lock()
		*q = *x
		answer := r.answerTo(q)
		r.busy--
		r.changed.Broadcast()
		r.mu.Unlock()
		if !q.whole {
			return
		}
		if _, err := io.WriteString(c, answer); err != nil || strings.HasPrefix(answer, closing) {
			return
		}
	}
}

// closing begins an answer after which the origin closes.
const closing = "HTTP/1.1 200 OK\r\nConnection: close\r\n"

func (r *recorder) answerTo(q *recorded) string {
	for _, x := range r.rules {
		if !isProbe(q) && strings.Contains(lower(unnumbered(q.octets)+q.body), lower(x.contains)) {
			return x.answer(q)
		}
	}
	return answerText(q, 200, []string{"Cache-Control: max-age=86400", "Content-Type: text/plain"}, q.octets+q.body)
}

// isProbe tells the requests that look whether everything else is well.
func isProbe(q *recorded) bool {
	return strings.HasPrefix(q.line, "GET /probe/") || strings.HasPrefix(q.line, "GET /after/") || strings.HasPrefix(q.line, "GET /account ")
}

func answerText(q *recorded, status int, fields []string, body string) string {
	head := fmt.Sprintf("HTTP/1.1 %d Whatever\r\n", status)
	for _, f := range fields {
		head += f + "\r\n"
	}
	if status != 304 && status != 204 {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	if strings.HasPrefix(q.line, "HEAD ") || status == 304 || status == 204 {
		body = ""
	}
	return head + "\r\n" + body
}

var (
	strictLine = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+ (/[!-~]*|\\*) HTTP/1\\.1\r\n$")
	strictName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	strictSize = regexp.MustCompile("^[0-9a-fA-F]{1,8}\r\n$")
)

// once are the fields of which two would be read in two ways.
var once = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Via", "X-Amz-Cf-Id", "CDN-Loop", "X-Forwarded-For", "Accept-Encoding", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match"}

// readStrictly reads one request.
func readStrictly(br *bufio.Reader) *recorded {
	q := &recorded{}
	line, err := br.ReadString('\n')
	q.octets = line
	if q.line = strings.TrimSuffix(line, "\r\n"); err != nil {
		return q
	}
	if !strictLine.MatchString(line) || strings.Contains(line, "#") {
		q.fault = fmt.Errorf("request line %q", line)
	}
	for {
		line, err := br.ReadString('\n')
		q.octets += line
		if err != nil {
			return q
		}
		if line == "\r\n" {
			break
		}
		if !strictField(line) {
			q.fault = fmt.Errorf("field line %q", line)
		}
		q.fields = append(q.fields, strings.TrimSuffix(line, "\r\n"))
	}
	for _, name := range once {
		if n := len(q.values(name)); n > 1 || n == 0 && name == "Host" {
			q.fault = fmt.Errorf("%d fields %s", n, name)
		}
	}
	if err := q.readBody(br); err != nil {
		return q
	}
	q.whole = true
	return q
}

// strictField tells whether a line is "Name: value" with nothing in it that anybody could stumble over.
func strictField(line string) bool {
	name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return ok && strictName.MatchString(name) && strings.HasSuffix(line, "\r\n") && strings.Trim(value, " \t") == value
}

// values are those of a field, in any case.
func (q *recorded) values(name string) (v []string) {
	for _, f := range q.fields {
		if n, value, _ := strings.Cut(f, ": "); strings.EqualFold(n, name) {
			v = append(v, value)
		}
	}
	return v
}

func (q *recorded) readBody(br *bufio.Reader) error {
	lengths, codings := q.values("Content-Length"), q.values("Transfer-Encoding")
	switch {
	case len(lengths) > 0 && len(codings) > 0:
		q.fault = errors.New("two framings")
		return q.fault
	case len(codings) > 0:
		if codings[0] != "chunked" {
			q.fault = fmt.Errorf("Transfer-Encoding %q", codings[0])
			return q.fault
		}
		return q.readChunks(br)
	case len(lengths) > 0:
		n, err := strconv.ParseUint(lengths[0], 10, 32)
		if err != nil || strconv.FormatUint(n, 10) != lengths[0] {
			q.fault = fmt.Errorf("Content-Length %q", lengths[0])
			return q.fault
		}
		b := make([]byte, n)
		got, err := io.ReadFull(br, b)
		q.body = string(b[:got])
		return err
	}
	return nil
}

func (q *recorded) readChunks(br *bufio.Reader) error {
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return err
		}
		if !strictSize.MatchString(line) {
			q.fault = fmt.Errorf("chunk line %q", line)
			return q.fault
		}
		n, _ := strconv.ParseUint(strings.TrimSpace(line), 16, 32)
		b := make([]byte, n+2)
		got, err := io.ReadFull(br, b)
		q.body += string(b[:min(got, int(n))])
		if err != nil {
			return err
		}
		if string(b[n:]) != "\r\n" {
			q.fault = fmt.Errorf("after a chunk %q", b[n:])
			return q.fault
		}
		if n == 0 {
			return nil
		}
	}
}
