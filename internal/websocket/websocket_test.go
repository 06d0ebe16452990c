package websocket

import (
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/message"
)

const key = "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455 section 1.3

func fields(lines ...string) (f message.Fields) {
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		f.Add(name, value)
	}
	return f
}

// change replaces the fields that the changes name, and drops those that they only name.
func change(f message.Fields, changes ...string) message.Fields {
	for _, c := range changes {
		if strings.HasPrefix(c, "+") {
			f = append(f, fields(c[1:])...)
			continue
		}
		name, value, set := strings.Cut(c, ": ")
		if f.Del(name); set {
			f.Add(name, value)
		}
	}
	return f
}

func TestAccept_IsTheRFCs(t *testing.T) {
	if got := Accept(key); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
}

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		method  string
		minor   int
		changes []string
		want    Wish
	}{
		"handshake":            {"GET", 1, nil, Handshake},
		"in other case":        {"GET", 1, []string{"Upgrade: WebSocket", "Connection: keep-alive, UPGRADE"}, Handshake},
		"another protocol":     {"GET", 1, []string{"Upgrade: h2c"}, None},
		"no upgrade":           {"GET", 1, []string{"Upgrade"}, None},
		"not of this hop":      {"GET", 1, []string{"Connection: keep-alive"}, None},
		"HTTP/1.0":             {"GET", 0, nil, None},
		"POST":                 {"POST", 1, nil, Malformed},
		"one of several":       {"GET", 1, []string{"Upgrade: h2c, websocket"}, Malformed},
		"several fields":       {"GET", 1, []string{"+Upgrade: h2c"}, Malformed},
		"with a version":       {"GET", 1, []string{"Upgrade: websocket/13, websocket"}, Malformed},
		"no key":               {"GET", 1, []string{"Sec-WebSocket-Key"}, Malformed},
		"two keys":             {"GET", 1, []string{"+Sec-WebSocket-Key: " + key}, Malformed},
		"a short key":          {"GET", 1, []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="}, Malformed},
		"a key with more bits": {"GET", 1, []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="}, Malformed},
		"a line end in a key":  {"GET", 1, []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZS\nBub25jZQ=="}, Malformed},
		"another version":      {"GET", 1, []string{"Sec-WebSocket-Version: 8"}, Malformed},
		"a list of versions":   {"GET", 1, []string{"Sec-WebSocket-Version: 13, 8"}, Malformed},
		"no version":           {"GET", 1, []string{"Sec-WebSocket-Version"}, Malformed},
	} {
		f := fields("Host: h", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: "+key, "Sec-WebSocket-Version: 13")
		r := &message.Request{Method: c.method, Major: 1, Minor: c.minor, Fields: change(f, c.changes...)}
		if got := Of(r); got != c.want {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		asked, answer []string
		want          bool
	}{
		"right":                        {nil, nil, true},
		"in other case":                {nil, []string{"Upgrade: WEBSOCKET", "Connection: x, upgrade"}, true},
		"another protocol":             {nil, []string{"Upgrade: h2c"}, false},
		"no protocol":                  {nil, []string{"Upgrade"}, false},
		"two protocols":                {nil, []string{"+Upgrade: h2c"}, false},
		"not of this hop":              {nil, []string{"Connection: keep-alive"}, false},
		"no proof":                     {nil, []string{"Sec-WebSocket-Accept"}, false},
		"the proof of another":         {nil, []string{"Sec-WebSocket-Accept: " + Accept("AAAAAAAAAAAAAAAAAAAAAA==")}, false},
		"the key":                      {nil, []string{"Sec-WebSocket-Accept: " + key}, false},
		"two proofs":                   {nil, []string{"+Sec-WebSocket-Accept: x"}, false},
		"a subprotocol":                {[]string{"Sec-WebSocket-Protocol: chat, v2"}, []string{"Sec-WebSocket-Protocol: v2"}, true},
		"none of them":                 {[]string{"Sec-WebSocket-Protocol: chat, v2"}, nil, true},
		"another":                      {[]string{"Sec-WebSocket-Protocol: chat, v2"}, []string{"Sec-WebSocket-Protocol: V2"}, false},
		"two":                          {[]string{"Sec-WebSocket-Protocol: chat, v2"}, []string{"Sec-WebSocket-Protocol: chat, v2"}, false},
		"an empty one":                 {[]string{"Sec-WebSocket-Protocol: chat,,v2"}, []string{"Sec-WebSocket-Protocol: "}, false},
		"a subprotocol, unasked":       {nil, []string{"Sec-WebSocket-Protocol: chat"}, false},
		"an extension":                 {[]string{"Sec-WebSocket-Extensions: permessage-deflate"}, []string{"Sec-WebSocket-Extensions: permessage-deflate"}, true},
		"an extension, nothing wanted": {nil, []string{"Sec-WebSocket-Extensions: permessage-deflate"}, false},
	} {
		asked := change(fields("Sec-WebSocket-Key: "+key), c.asked...)
		answer := change(fields("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: "+Accept(key)), c.answer...)
		if got := Accepted(answer, asked); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFields(t *testing.T) {
	got := Fields(fields("a: b", "sec-websocket-key: k", "Sec-WebSocket: no", "Sec-WebSocket-Protocol: p"))
	if len(got) != 2 || got[0].Value != "k" || got[1].Value != "p" {
		t.Errorf("%v", got)
	}
}

// Whatever is taken for a handshake has one key and one answer; whatever is taken for its answer has the proof.
func FuzzHandshake(f *testing.F) {
	f.Add("Upgrade", "websocket", key, "13", "Upgrade", "websocket", Accept(key))
	f.Add("keep-alive, upgrade", "WebSocket, h2c", key+" ", "13, 8", "close", "websocket", "")
	f.Fuzz(func(t *testing.T, connection, upgrade, key, version, agrees, becomes, proof string) {
		asked := message.Fields{{Name: "Connection", Value: connection}, {Name: "Upgrade", Value: upgrade}, {Name: "Sec-WebSocket-Key", Value: key}, {Name: "Sec-WebSocket-Version", Value: version}}
		r := &message.Request{Method: "GET", Major: 1, Minor: 1, Fields: asked}
		wish := Of(r)
		if wish == Handshake && (!strings.EqualFold(upgrade, "websocket") || len(key) != 24 || version != "13" || !strings.Contains(strings.ToLower(connection), "upgrade")) {
			t.Errorf("%v is a handshake", asked)
		}
		if r.Method = "POST"; Of(r) == Handshake {
			t.Errorf("a POST is a handshake")
		}
		answer := message.Fields{{Name: "Connection", Value: agrees}, {Name: "Upgrade", Value: becomes}, {Name: "Sec-WebSocket-Accept", Value: proof}}
		if Accepted(answer, asked) && (proof != Accept(key) || !strings.EqualFold(becomes, "websocket")) {
			t.Errorf("%v is the answer to %v", answer, asked)
		}
		if Accepted(append(answer, message.Field{Name: "Sec-WebSocket-Protocol", Value: proof}), asked) {
			t.Errorf("a subprotocol that nobody has asked for")
		}
	})
}
