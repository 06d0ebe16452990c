package httpserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, versions 1 and 2: a balancer in front says who the viewer is, before anything else. There is no
// guessing: a server that expects the header gets it, or closes, for whoever may leave it out could be anybody.

const (
	maxProxyV1 = 107  // octets, as its specification says
	maxProxy   = 4096 // of version 2 with what a balancer adds
	proxyV1    = "PROXY "
	proxyV2    = "\r\n\r\n\x00\r\nQUIT\n"
)

var (
	errNoProxy  = errors.New("httpserver: no PROXY header")
	errBadProxy = errors.New("httpserver: malformed PROXY header")
)

// proxyHeader parses the header at the beginning of b. n is its length, 0 when it is not there completely. from is
// not valid when the header names nobody: then it is the balancer itself that speaks, or it does not know.
func proxyHeader(b []byte) (n int, from netip.AddrPort, err error) {
	v1, v2 := b[:min(len(b), len(proxyV1))], b[:min(len(b), len(proxyV2))]
	switch {
	case strings.HasPrefix(proxyV2, string(v2)):
		if len(v2) < len(proxyV2) {
			return 0, from, nil
		}
		return proxyBinary(b)
	case !strings.HasPrefix(proxyV1, string(v1)):
		return 0, from, errNoProxy
	}
	line, _, ended := bytes.Cut(b[:min(len(b), maxProxyV1)], []byte("\r\n"))
	switch {
	case ended:
		from, err = proxyLine(string(line))
		return len(line) + 2, from, err
	case len(b) >= maxProxyV1:
		return 0, from, errBadProxy
	}
	return 0, from, nil
}

// proxyLine reads "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443".
func proxyLine(line string) (from netip.AddrPort, err error) {
	parts := strings.Split(line, " ")
	if parts[1] == "UNKNOWN" {
		return from, nil
	}
	if len(parts) != 6 || parts[1] != "TCP4" && parts[1] != "TCP6" {
		return from, errBadProxy
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		ip, err := netip.ParseAddr(parts[2+i])
		port, ok := proxyPort(parts[4+i])
		if err != nil || !ok || ip.Zone() != "" || ip.Is4() != (parts[1] == "TCP4") {
			return from, errBadProxy
		}
		ends[i] = netip.AddrPortFrom(ip.Unmap(), port)
	}
	return ends[0], nil
}

// proxyPort reads a port as it is written, not as it might be.
func proxyPort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && strconv.FormatUint(n, 10) == s
}

// proxyBinary reads version 2. What follows the addresses in it says nothing to us.
func proxyBinary(b []byte) (n int, from netip.AddrPort, err error) {
	const fixed = len(proxyV2) + 4
	if len(b) < fixed {
		return 0, from, nil
	}
	command, family := b[len(proxyV2)], b[len(proxyV2)+1]
	n = fixed + int(binary.BigEndian.Uint16(b[fixed-2:]))
	switch {
	case n > maxProxy, command != 0x20 && command != 0x21:
		return 0, from, errBadProxy
	case len(b) < n:
		return 0, from, nil
	case command == 0x20: // LOCAL: the balancer looks whether we are there
		return n, from, nil
	}
	size := 0 // of an IP address
	switch family {
	case 0x00, 0x31: // nobody knows; a Unix socket
		return n, from, nil
	case 0x11:
		size = 4
	case 0x21:
		size = 16
	default:
		return 0, from, errBadProxy
	}
	if n-fixed < 2*size+4 {
		return 0, from, errBadProxy
	}
	ip, _ := netip.AddrFromSlice(b[fixed : fixed+size])
	return n, netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(b[fixed+2*size:])), nil
}

// introduced reads the header, where the server expects one. It reports whether the connection may go on.
func (c *conn) introduced() bool {
	if !c.e.proxied {
		return true
	}
	due := c.e.after(c.e.limits.ReadHeaderTimeout)
	for {
		var b []byte
		if c.wire != nil {
			b = c.wire.in[c.wire.pos:]
		} else if c.desk != nil {
			b = c.desk.rest()
		}
		n, from, err := proxyHeader(b)
		if err != nil {
			c.e.log.Debug("connection without a PROXY header closed", "remote", c.remote, "err", err)
			return false
		}
		if n > 0 {
			c.skip(n)
			return c.of(from)
		}
		if n, err = c.readInto(nil, due); n == 0 || err != nil {
			return false
		}
		if c.wire == nil {
			c.desk.in = c.desk.in[:len(c.desk.in)+n]
		}
	}
}

// skip takes n octets of what has been read away.
func (c *conn) skip(n int) {
	if c.wire != nil {
		c.wire.pos += n
		c.wire.idle()
	} else {
		c.desk.use(n)
	}
}

// of counts the connection as its viewer's.
func (c *conn) of(from netip.AddrPort) bool {
	if from.IsValid() {
		c.remote = from
	}
	if c.e.gate.introduce(c, client(c.remote.Addr())) {
		return true
	}
	if c.wire == nil {
		c.refuse(refusal{503, ReasonTooMany}, "")
	}
	return false
}
