package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
)

// failures is told why handshakes fail.
func failures(s *Server) (next func(t *testing.T) string) {
	told := make(chan string, 64)
	s.HandshakeFailed = func(quic bool, reason string) { told <- fmt.Sprint(quic, " ", reason) }
	return func(t *testing.T) string {
		t.Helper()
		select {
		case why := <-told:
			return why
		case <-time.After(time.Minute):
			t.Error("nobody is told")
			return ""
		}
	}
}

func TestHandshakeFailed_SaysWhy(t *testing.T) {
	s := &Server{Handler: handlerFunc(echo)}
	next := failures(s)
	show, pool := selfSigned(t, "a.test")
	s.TLS = &TLS{
		Certificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName == "none.test" {
				return nil, errors.New("there is none")
			}
			return show(h)
		},
		Names: names{"a.test": {MinVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}},
	}
	addr, _ := start(t, s)
	shake := func(c *tls.Config) {
		if err := tls.Client(dial(t, addr), c).Handshake(); err == nil {
			t.Errorf("%+v: the handshake succeeds", c)
		}
	}
	send := func(text string, goes bool) {
		c := dial(t, addr).(*net.TCPConn)
		io.WriteString(c, text)
		if goes {
			c.CloseWrite()
		}
		io.Copy(io.Discard, c)
	}
	if err := tls.Client(dial(t, addr), &tls.Config{ServerName: "a.test", RootCAs: pool}).Handshake(); err != nil { // would be told first
		t.Fatal(err)
	}
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { send(get("/"), false) }, HandshakeNotTLS},
		{func() { send("\x00\x01", false) }, HandshakeNotTLS},
		{func() {
			shake(&tls.Config{ServerName: "a.test", RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		}, HandshakeVersion},
		{func() {
			shake(&tls.Config{ServerName: "a.test", RootCAs: pool, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}})
		}, HandshakeCipher},
		{func() { shake(&tls.Config{ServerName: "a.test", RootCAs: pool, NextProtos: []string{"imap"}}) }, HandshakeProtocol},
		{func() { shake(&tls.Config{ServerName: "none.test", InsecureSkipVerify: true}) }, HandshakeCertificate},
		{func() { shake(&tls.Config{ServerName: "b.test", RootCAs: pool}) }, HandshakeRefused},
		{func() {
			shake(&tls.Config{ServerName: "a.test", RootCAs: pool, MaxVersion: tls.VersionTLS12, VerifyConnection: func(tls.ConnectionState) error { return errors.New("no") }})
		}, HandshakeRefused},
		{func() { send(hello(t)+"\x15\x03\x03\x00\x02\x02\x30", false) }, HandshakeRefused}, // as OpenSSL does
		{func() { send(hello(t)+"\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x20"+strings.Repeat("x", 32), false) }, HandshakeMalformed},
		{func() { send(hello(t), true) }, HandshakeLeft},
		{func() { send("\x16\x03\x01\x02\x00abc", true) }, HandshakeLeft},
		{func() { send("\x16\x03\x01\x00\x04\x01\x00\x00\x00", false) }, HandshakeMalformed},
		{func() { send("\x16\xff\xff\xff\xff", false) }, HandshakeMalformed},
	} {
		c.do()
		if got := next(t); got != "false "+c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// A connection on which nothing was said is no failure, but a handshake that takes too long is.
func TestHandshakeFailed_SilenceIsNone(t *testing.T) {
	show, _ := selfSigned(t, "a.test")
	said := hello(t)
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: handlerFunc(echo), TLS: &TLS{Certificate: show}, Limits: Limits{ReadHeaderTimeout: 40 * time.Millisecond}}
		next := failures(s)
		dial := startPiped(t, s)
		io.Copy(io.Discard, dial())
		c := dial()
		io.WriteString(c, said)
		io.Copy(io.Discard, c)
		if got := next(t); got != "false "+HandshakeTimeout {
			t.Error(got)
		}
	})
}

func TestHandshakeFailed_OverQUIC(t *testing.T) {
	s := &Server{Handler: handlerFunc(echo)}
	next := failures(s)
	v := serveH3(t, s)
	for _, c := range []struct {
		change func(*tls.Config)
		want   string
	}{
		{func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "b.test", true }, HandshakeProtocol},
		{func(c *tls.Config) { c.NextProtos = []string{"hq-interop"} }, HandshakeProtocol},
		{func(c *tls.Config) { c.RootCAs, c.InsecureSkipVerify = nil, false }, HandshakeRefused},
	} {
		config := v.tls.Clone()
		c.change(config)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := quic.DialAddr(ctx, v.addr.String(), config, nil); err == nil {
			t.Errorf("want %s: the handshake succeeds", c.want)
		}
		cancel()
		if got := next(t); got != "true "+c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
