// Package admission knows how a machine becomes an edge, and how it proves afterwards that it is one.
//
// The control plane has an authority (Authority): a root certificate with its key. Its nodes show certificates of this
// authority under one name, ControlName, whatever their addresses are. An operator has a token made (NewToken), a
// line of text with where the control nodes are, which authority is theirs, and a secret that is good once and for a while. The
// machine makes a key, sends a request for a certificate with the token's secret, and keeps what it gets (Identity): from
// then on it needs no token. Its key never leaves it.
//
// An edge's certificate lasts for 90 days, and is renewed over the edge's connection when two thirds are over (Identity.Due, Renew): with
// a new key, and with the authority's root, in case that has been renewed. Before its end, what ends it is the control plane's list of
// who is admitted: it has the serial number of each edge's certificate, and of the one that was renewed, until the new one is renewed.
//
// The authority lasts ten years. RenewAuthority puts a new one beside it: nodes show certificates of the new one, with the new root
// signed by the old (a cross certificate), so that edges and tokens that know the old one alone trust them; and take certificates of both.
// Each edge changes over within hours. What has slept through that until the old root ends, or through a second renewal, needs a token.
//
// A relay becomes one in the same way, with a certificate of another kind (Sign, WhoRelay).
//
// It refuses to know who may be admitted (control), and to talk (journal/jetstream).
package admission

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ControlName is the name in the certificates of all control nodes.
const ControlName = "control.warmfront.internal"

// Token is what makes a machine an edge, or a control node, once. String is the line that people carry.
type Token struct {
	Node      string   `json:"n,omitempty"` // the control node's name; "": it is for an edge
	Relay     bool     `json:"y,omitempty"` // it is for a relay
	Addresses []string `json:"a"`           // host:port of control nodes
	Root      string   `json:"r"`           // SHA-256 of the authority's certificate, hex
	ID        string   `json:"i"`           // its public half
	Secret    string   `json:"s"`
}

const (
	tokenPrefix   = "wfe1." // what it is, for people and for those who look for secrets in logs
	controlPrefix = "wfc1."
	tokenLength   = 4096 // at most
)

// What is said of what is no token, or one for something else.
var (
	ErrToken        = errors.New("that is no edge token: it begins with " + tokenPrefix + " and is one line, as warmfront edge token prints it")
	ErrControlToken = errors.New("that is no token for a control node: it begins with " + controlPrefix + " and is one line, as warmfront control token prints it")
)

func (t Token) String() string {
	b, _ := json.Marshal(t) // strings alone
	prefix := tokenPrefix
	if t.Node != "" {
		prefix = controlPrefix
	}
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// Hash is what the control plane keeps of a token.
func (t Token) Hash() string {
	sum := sha256.Sum256([]byte(t.ID + "." + t.Secret))
	return hex.EncodeToString(sum[:])
}

// ParseToken reads a token for an edge. Blanks around it do not matter; everything else does.
func ParseToken(s string) (Token, error) { return parse(s, tokenPrefix, ErrToken) }

// ParseControlToken reads one for a control node.
func ParseControlToken(s string) (Token, error) { return parse(s, controlPrefix, ErrControlToken) }

func parse(s, prefix string, no error) (t Token, err error) {
	s = strings.TrimSpace(s)
	body, ok := strings.CutPrefix(s, prefix)
	if !ok || len(s) > tokenLength {
		return t, no
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return t, fmt.Errorf("%w; a part of it is missing or damaged", no)
	}
	if err := json.Unmarshal(b, &t); err != nil || len(t.Addresses) == 0 || len(t.Root) != 2*sha256.Size || t.ID == "" || t.Secret == "" ||
		(t.Node != "") != (prefix == controlPrefix) {
		return Token{}, fmt.Errorf("%w; a part of it is missing or damaged", no)
	}
	return t, nil
}
