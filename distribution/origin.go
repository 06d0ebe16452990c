package distribution

import (
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// OriginProtocol is how the edge speaks to an origin.
type OriginProtocol uint8

const (
	OriginHTTPOnly    OriginProtocol = iota // always http
	OriginHTTPSOnly                         // always https
	OriginMatchViewer                       // as the viewer reached the edge
)

// Origin is one origin of a distribution, compiled. It is immutable; behaviors share it.
type Origin struct {
	ID         string
	DomainName string // lower case; the Host that the origin gets, too, unless the viewer's is forwarded
	Path       string // put before every path: "" or "/x", no trailing slash
	HTTPPort   int
	HTTPSPort  int
	Protocol   OriginProtocol
	Shield     string // the Origin Shield region; "": none
	S3         bool   // S3OriginConfig: reached unsigned, never gets the viewer's Host

	SSLProtocols  []string       // of "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"
	IPAddressType string         // "ipv4", "ipv6" or "dualstack"
	CustomHeaders message.Fields // replace the viewer's of the same name; Behavior.Forward adds them

	ConnectionAttempts        int           // 1–3
	ConnectionTimeout         time.Duration // of one attempt, 1–10 s
	ReadTimeout               time.Duration // to the first octet and between octets, 1–120 s
	KeepaliveTimeout          time.Duration // of an idle connection, 1–120 s
	ResponseCompletionTimeout time.Duration // of a whole response; 0: no limit

	host string // DomainName as a Host field has it: an IPv6 address in brackets
}

// Scheme returns "http" or "https": what to use for a request that reached the edge by viewerScheme.
func (o *Origin) Scheme(viewerScheme string) string {
	if o.Protocol == OriginHTTPSOnly || o.Protocol == OriginMatchViewer && viewerScheme == "https" {
		return "https"
	}
	return "http"
}

// Port returns the port for a scheme, "http" or "https".
func (o *Origin) Port(scheme string) int {
	if scheme == "https" {
		return o.HTTPSPort
	}
	return o.HTTPPort
}
