// Package websocket knows the handshake of WebSocket over HTTP/1.1 (RFC 6455 section 4): what asks for it, and
// which answer is the right one to what was asked. Of what is said behind the handshake it knows nothing.
//
// Both ends of Warmfront read with it. A front that believes in a handshake which the origin has refused
// would pass on requests that it has never looked at; so an answer counts only if it proves, by its
// Sec-WebSocket-Accept, that its sender has understood this very handshake.
package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// Wish is what a request wants of its connection.
type Wish uint8

// The wishes.
const (
	None      Wish = iota // to stay what it is; Upgrade to anything else is ignored (RFC 9110 section 7.8)
	Handshake             // a well-formed handshake
	Malformed             // WebSocket, but not in this way
)

// Of tells what r wants. A handshake is a GET of HTTP/1.1, with exactly one key of 16 octets and the version 13.
func Of(r *message.Request) Wish {
	upgrade := r.Fields.Joined("Upgrade")
	switch {
	case upgrade == "", r.Major != 1 || r.Minor == 0, !lists(r.Fields.Joined("Connection"), "upgrade"), !lists(upgrade, "websocket"):
		return None
	case r.Method == "GET" && h1.EqualASCII(upgrade, "websocket") && keyOK(r.Fields) && one(r.Fields, "Sec-WebSocket-Version") == "13":
		return Handshake
	}
	return Malformed
}

// keyOK tells whether the key is the base64 of 16 octets, and nothing else: package base64 would pass over line
// ends within it.
func keyOK(f message.Fields) bool {
	key := one(f, "Sec-WebSocket-Key")
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	return err == nil && len(raw) == 16 && len(key) == base64.StdEncoding.EncodedLen(16)
}

// one is the value of the only field of that name, "" if there is none, or several.
func one(f message.Fields, name string) string {
	if v := f.Values(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// lists tells whether a list has a word, which is in lower case.
func lists(list, word string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if h1.EqualASCII(strings.Trim(item, " \t"), word) {
			return true
		}
	}
	return false
}

// Fields are those of a handshake that go to the origin as the viewer has sent them: without them there is none.
func Fields(f message.Fields) message.Fields {
	var own message.Fields
	for _, x := range f {
		if IsField(x.Name) {
			own = append(own, x)
		}
	}
	return own
}

// IsField tells the fields of the handshake.
func IsField(name string) bool {
	const prefix = "Sec-WebSocket-"
	return len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// Accept is what proves that a key was understood.
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Accepted tells whether the fields of a 101 are the right answer to a handshake with the fields asked. It
// may choose one of the subprotocols, and extensions only if some were offered (RFC 6455 section 4.1).
func Accepted(answer, asked message.Fields) bool {
	if !h1.EqualASCII(one(answer, "Upgrade"), "websocket") || !lists(answer.Joined("Connection"), "upgrade") ||
		one(answer, "Sec-WebSocket-Accept") != Accept(one(asked, "Sec-WebSocket-Key")) {
		return false
	}
	if answer.Has("Sec-WebSocket-Protocol") && !chosen(one(answer, "Sec-WebSocket-Protocol"), asked.Joined("Sec-WebSocket-Protocol")) {
		return false
	}
	return !answer.Has("Sec-WebSocket-Extensions") || asked.Has("Sec-WebSocket-Extensions")
}

// chosen tells whether a subprotocol is one of a list. Their names mind the case.
func chosen(one, list string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if one != "" && strings.Trim(item, " \t") == one {
			return true
		}
	}
	return false
}
