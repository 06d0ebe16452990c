// Package message knows the head of an HTTP message (RFC 9110 section 6) in its parsed form: what
// httpserver read, httpcache judges, distribution keys and forwards, origin sends. Fields keep the
// order and spelling in which they came; names compare without regard to case.
package message

import (
	"net/netip"
	"strings"
)

// Field is one field line.
type Field struct{ Name, Value string }

// Fields is a header or trailer section, in order. The zero value is empty and ready.
// It may be read concurrently; changing it needs an owner.
type Fields []Field

// same compares names. Most differ in length already, and names are ASCII: EqualFold alone would take a
// Kelvin sign for a "k".
func same(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// Get returns the value of the first line of that name, or "".
func (f Fields) Get(name string) string {
	for i := range f {
		if same(f[i].Name, name) {
			return f[i].Value
		}
	}
	return ""
}

// Has tells whether a line of that name is there, be it empty.
func (f Fields) Has(name string) bool {
	for i := range f {
		if same(f[i].Name, name) {
			return true
		}
	}
	return false
}

// Values returns the values of all lines of that name, in order.
func (f Fields) Values(name string) []string {
	var v []string
	for i := range f {
		if same(f[i].Name, name) {
			v = append(v, f[i].Value)
		}
	}
	return v
}

// Joined returns all lines of that name joined with ", " (RFC 9110 section 5.3).
func (f Fields) Joined(name string) string {
	first, n := "", 0
	for i := range f {
		if same(f[i].Name, name) {
			if n++; n == 1 {
				first = f[i].Value
			}
		}
	}
	if n <= 1 {
		return first
	}
	return strings.Join(f.Values(name), ", ")
}

// Add appends a line.
func (f *Fields) Add(name, value string) { *f = append(*f, Field{name, value}) }

// Set replaces the first line of that name, drops the others, or appends a line.
func (f *Fields) Set(name, value string) {
	for i := range *f {
		if same((*f)[i].Name, name) {
			(*f)[i].Value = value
			rest := (*f)[i+1:]
			rest.Del(name)
			*f = (*f)[:i+1+len(rest)]
			return
		}
	}
	f.Add(name, value)
}

// Del drops every line of that name, in place.
func (f *Fields) Del(name string) {
	kept := (*f)[:0]
	for _, x := range *f {
		if !same(x.Name, name) {
			kept = append(kept, x)
		}
	}
	*f = kept
}

// Clone returns a copy that shares no line with f.
func (f Fields) Clone() Fields { return append(Fields(nil), f...) }

// Request is the head of a request. Path and Query are raw, as sent: nothing is decoded or
// normalised. It is read-only once parsed.
type Request struct {
	Method   string
	Path     string // begins with "/", or "*" for OPTIONS *
	Query    string // without "?"
	HasQuery bool   // tells "/a?" from "/a"
	Host     string // of the Host field or the target's authority, lower case, without port
	Port     string // "" when none was sent
	Scheme   string // "http" or "https": how the viewer reached us
	Major    int    // of the HTTP version
	Minor    int
	Remote   netip.AddrPort // the viewer's end of the connection
	// ServerName is the name that the viewer asked for in its TLS handshake, lower case; "" without.
	ServerName string
	TLS        *TLS // what was agreed on in that handshake; nil: plain HTTP. Read-only, shared by requests
	Fields     Fields
}

// URI returns path and query as sent.
func (r *Request) URI() string {
	if r.HasQuery {
		return r.Path + "?" + r.Query
	}
	return r.Path
}

// TLS is what a viewer's connection speaks beneath HTTP, in the words of CloudFront's logs and headers.
type TLS struct {
	Protocol  string // "TLSv1.3"
	Cipher    string // as OpenSSL calls it: "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"
	Handshake string // what it took: FullHandshake, SessionResumed or ConnectionReused
}

// What TLS.Handshake can be: for the first request of a connection one of the first two, for those after it the third.
const (
	FullHandshake    = "fullHandshake"
	SessionResumed   = "sessionResumed"
	ConnectionReused = "connectionReused"
)
