package tier

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

const (
	// MaxAsk bounds a question in octets.
	MaxAsk = 256 << 10
	// MaxHead bounds the head of an answer.
	MaxHead = 256 << 10
	// maxThrough bounds the edges that a question may have come through.
	maxThrough = 2 * (MaxDepth + 1)
)

// Ask is a question: a viewer's request, and what the answer must reflect. It has none of the viewer's conditions, nor others: two edges
// that have different octets under one validator, be it a date or a tag that its origin does not take seriously, would
// confirm them to each other. What the one that asks has is named by its digest.
type Ask struct {
	Epoch        string // of the journal
	Least        uint64 // T1: the position up to which the answer must have been held against the rules
	Entry        string // the ID of entry Least: after a loss another one has its number
	Distribution string
	Revision     uint64        // of its configuration: what is asked means the same by no other
	Youngest     time.Duration `json:",omitempty"` // the fetch must not have begun longer ago; 0: whenever
	Through      []string      // names of the edges that it has come through; the last one asks
	ID           string        // X-Amz-Cf-Id
	Have         []byte        `json:",omitempty"` // SHA-256 of the octets that the one that asks has; nil: none

	Request message.Request // of the viewer, with the range of the one that asks
}

// Head is what an answer begins with.
type Head struct {
	// Refused says why there is no answer, by this edge's own fault: another is asked, or the origin. "": there is one.
	Refused Refusal `json:",omitempty"`

	// Failure is the name of the reason for which the origin gave no answer; "": it has.
	Failure string `json:",omitempty"`
	Retry   int    `json:",omitempty"` // seconds after which it may be tried again

	Status int
	Fields message.Fields
	Length int64         // of the body; -1: not known
	Origin string        // the id of the one that has answered
	Began  time.Duration // T3: how long ago the fetch of it began
	Hit    bool          // it was stored
	Same   bool          `json:",omitempty"` // the body is what Have means, and does not follow

	// What the law says of it, here as there.
	NoStore   uint8    // httpcache.NoStoreReason; 0: it may be stored
	Omit      []string // names of fields that what is stored has not
	Tags      []string
	Stored    time.Duration // how long ago it arrived from the origin
	Freshness Freshness
}

// Freshness is httpcache.Freshness with times from now, since clocks differ.
type Freshness struct {
	Stored     time.Duration // ago
	FreshFor   time.Duration // from now; negative when it is stale
	InitialAge time.Duration

	StaleWhileRevalidate, StaleIfError, StaleIfUnreachable time.Duration
	HeldFor                                                time.Duration // from now; 0: it is not

	MustRevalidate, Immutable bool
}

// Refusal is why an edge does not answer another one.
type Refusal string

const (
	Behind    Refusal = "behind"    // it has not applied what the answer must reflect
	Elsewhere Refusal = "elsewhere" // it follows another journal, knows another configuration, or has only what is old where the question comes from
	Loop      Refusal = "loop"      // the question has been here
	Busy      Refusal = "busy"      // it answers as many questions as it may
	Unable    Refusal = "unable"    // it is starting, or cannot serve what it has
	Unclear   Refusal = "unclear"   // it does not understand the question
)

var errUnclear = errors.New("tier: it cannot be read")

// octets are a string of any octets: in JSON each is the character of its number, for JSON has characters only.
type octets string

func (o octets) MarshalJSON() ([]byte, error) {
	ascii := true
	for i := range len(o) {
		ascii = ascii && o[i] < 0x80
	}
	if ascii {
		return json.Marshal(string(o))
	}
	r := make([]rune, len(o))
	for i := range len(o) {
		r[i] = rune(o[i])
	}
	return json.Marshal(string(r))
}

func (o *octets) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return errUnclear
		}
		out = append(out, byte(r))
	}
	*o = octets(out)
	return nil
}

type fields [][2]octets

func packed(f message.Fields) fields {
	out := make(fields, len(f))
	for i := range f {
		out[i] = [2]octets{octets(f[i].Name), octets(f[i].Value)}
	}
	return out
}

// unpacked refuses what is no field line: what others send is stored and shown.
func (f fields) unpacked() (message.Fields, error) {
	out := make(message.Fields, len(f))
	for i := range f {
		out[i] = message.Field{Name: string(f[i][0]), Value: string(f[i][1])}
		if !h1.OneLine(&out[i]) {
			return nil, errUnclear
		}
	}
	return out, nil
}

// What is written is what is meant but for the strings of any octets.
type (
	plainAsk  Ask
	askOnWire struct {
		*plainAsk
		Request struct {
			Method, Path, Query, Host, Port, Scheme, ServerName octets

			HasQuery     bool `json:",omitempty"`
			Major, Minor int
			Remote       netip.AddrPort
			TLS          *message.TLS `json:",omitempty"`
			Fields       fields
		}
	}
	plainHead  Head
	headOnWire struct {
		*plainHead
		Fields fields
		Tags   []octets
	}
)

func (a *Ask) encode() ([]byte, error) {
	w := askOnWire{plainAsk: (*plainAsk)(a)}
	r := &a.Request
	q := &w.Request
	q.Method, q.Path, q.Query, q.HasQuery = octets(r.Method), octets(r.Path), octets(r.Query), r.HasQuery
	q.Host, q.Port, q.Scheme, q.ServerName = octets(r.Host), octets(r.Port), octets(r.Scheme), octets(r.ServerName)
	q.Major, q.Minor, q.Remote, q.TLS, q.Fields = r.Major, r.Minor, r.Remote, r.TLS, packed(r.Fields)
	return json.Marshal(w)
}

func decodeAsk(b []byte) (*Ask, error) {
	a := &Ask{}
	w := askOnWire{plainAsk: (*plainAsk)(a)}
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnclear, err)
	}
	r, q := &a.Request, &w.Request
	r.Method, r.Path, r.Query, r.HasQuery = string(q.Method), string(q.Path), string(q.Query), q.HasQuery
	r.Host, r.Port, r.Scheme, r.ServerName = string(q.Host), string(q.Port), string(q.Scheme), string(q.ServerName)
	r.Major, r.Minor, r.Remote, r.TLS = q.Major, q.Minor, q.Remote, q.TLS
	if len(a.Have) == 0 {
		a.Have = nil
	}
	var err error
	r.Fields, err = q.Fields.unpacked()
	switch {
	case a.Have != nil && len(a.Have) != sha256.Size:
		return nil, errUnclear
	case err != nil:
		return nil, err
	case r.Method != "GET" && r.Method != "OPTIONS", !strings.HasPrefix(r.Path, "/"), !h1.All(r.Path, h1.InTarget), !h1.All(r.Query, h1.InTarget),
		a.Distribution == "", a.Youngest < 0, len(a.Through) == 0, len(a.Through) > maxThrough:
		return nil, errUnclear
	}
	return a, nil
}

func (h *Head) encode() ([]byte, error) {
	w := headOnWire{plainHead: (*plainHead)(h), Fields: packed(h.Fields)}
	for _, t := range h.Tags {
		w.Tags = append(w.Tags, octets(t))
	}
	return json.Marshal(w)
}

func decodeHead(b []byte) (*Head, error) {
	h := &Head{}
	w := headOnWire{plainHead: (*plainHead)(h)}
	err := json.Unmarshal(b, &w)
	if err == nil {
		h.Fields, err = w.Fields.unpacked()
	}
	h.Tags = nil
	for _, t := range w.Tags {
		h.Tags = append(h.Tags, string(t))
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnclear, err)
	case h.Began < 0:
		return nil, errUnclear
	case h.Refused != "", h.Failure != "":
	case h.Status < 200 || h.Status > 999 || // beyond 599 is what an origin has said all the same
		h.Status == 304, h.Same && h.Status != 200, h.Length < -1:
		return nil, errUnclear
	}
	return h, nil
}
