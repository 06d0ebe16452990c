package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// Slow viewers who come by TLS and HTTP/2. Each of these conversations must be ended by the edge before its
// deadline of half a minute, while others are served.
func TestBattery_SlowViewersOverTLS(t *testing.T) {
	f := newField(t, []string{"optimized", "disabled"}, append(shortLimits, "--cache-size", "256MiB")...)
	f.origin.program([]rule{{"/big", func(q *recorded) string { return answerText(q, 200, []string{"Cache-Control: max-age=60"}, bigObject) }}})
	var all sync.WaitGroup
	for name, slow := range map[string]func(c net.Conn) error{
		"nothing in place of a hello": func(c net.Conn) error { return untilClosed(c) },
		"half a hello": func(c net.Conn) error {
			io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
			return untilClosed(c)
		},
		"a hello octet by octet": func(c net.Conn) error {
			v := newViewer(c.(socket))
			_, err := v.drips("\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + strings.Repeat("x", 1000))
			return err
		},
		"nothing after the handshake": func(c net.Conn) error { return untilClosed(shaken(c, "http/1.1", "optimized.example")) },
		"half a head": func(c net.Conn) error {
			s := shaken(c, "http/1.1", "optimized.example")
			io.WriteString(s, "GET /a HTTP/1.1\r\nHost: optim")
			return untilClosed(s)
		},
		"h2: no preface": func(c net.Conn) error { return untilClosed(shaken(c, "h2", "optimized.example")) },
		"h2: half a preface": func(c net.Conn) error {
			s := shaken(c, "h2", "optimized.example")
			io.WriteString(s, http2.ClientPreface[:10])
			return untilClosed(s)
		},
		"h2: no request": func(c net.Conn) error {
			h, err := newH2(shaken(c, "h2", "optimized.example"))
			return h.untilOver(err)
		},
		"h2: half a frame": func(c net.Conn) error {
			s := shaken(c, "h2", "optimized.example")
			h, err := newH2(s)
			io.WriteString(s, "\x00\x10\x00\x01\x04\x00\x00\x00\x01half")
			return h.untilOver(err)
		},
		"h2: half a header block": func(c net.Conn) error {
			h, err := newH2(shaken(c, "h2", "optimized.example"))
			h.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block([]line{{Name: ":method", Value: "GET"}}), EndStream: true})
			return h.untilOver(err)
		},
		"h2: a body that stops": func(c net.Conn) error {
			h, err := newH2(shaken(c, "h2", "disabled.example"))
			h.head(1, []line{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "disabled.example"},
				{Name: ":path", Value: "/a"}, {Name: "content-length", Value: "9"}}, false)
			h.frames.WriteData(1, false, []byte("abc"))
			h.streams[1], h.waits = &h2Stream{}, []uint32{1}
			if a, err := h.hear(); err != nil || a.status != 408 {
				return fmt.Errorf("%+v, %v", a, err)
			}
			return h.untilOver(err)
		},
		"h2: a viewer that opens no window": func(c net.Conn) error {
			h, err := newH2(shaken(c, "h2", "optimized.example"))
			h.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			h.open([]line{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "optimized.example"}, {Name: ":path", Value: "/big"}}, "")
			return h.untilOver(err)
		},
	} {
		all.Go(func() {
			c, err := net.Dial("tcp", f.secure)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(30 * time.Second))
			if err := slow(c); err != nil {
				t.Errorf("%s: not ended by the edge: %v", name, err)
			}
		})
	}
	for _, f.manner = range []manner{overTCP, overTLS, overHTTP2} {
		if err := f.probe("optimized.example"); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	if err := f.probe("disabled.example"); err != nil {
		t.Error(err)
	}
	f.sound(t)
}

// shaken shakes hands; an error shows when it is used.
func shaken(c net.Conn, protocol, name string) net.Conn {
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}, ServerName: name})
}

// untilClosed reads to the end, for whose sake a handshake is begun where there is one.
func untilClosed(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	if isReset(err) || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return err
}

// untilOver reads to the end of the connection.
func (h *h2) untilOver(err error) error {
	for err == nil {
		if err = h.read(); err == io.EOF || err == io.ErrUnexpectedEOF || isReset(err) {
			return nil
		}
	}
	return err
}
