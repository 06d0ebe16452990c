package ownapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

const maxExplained = 100 // items

// question is what the edges are asked, and what is asked about their answers: whether an invalidation would mean it.
type question struct {
	edge.Question
	items    []string
	where    *invalidation.Where
	narrowed *journal.Where // the same, as it was written; nil: nothing
	mode     string         // "": as the distribution's tag says
}

// readQuestion reads {url} or {distributionId, path, headers}, and items with what narrows them and their mode.
func readQuestion(c *call) (*question, error) {
	var in struct {
		URL            string            `json:"url"`
		DistributionID string            `json:"distributionId"`
		Path           string            `json:"path"`
		Headers        map[string]string `json:"headers"`
		Items          []string          `json:"items"`
		Where          *whereWish        `json:"where"`
		Mode           string            `json:"mode"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if (in.URL == "") == (in.DistributionID == "") {
		return nil, invalid("Send either url, or distributionId and path.")
	}
	if len(in.Items) > maxExplained {
		return nil, invalid("At most %d items can be asked about.", maxExplained)
	}
	if (in.Where != nil || in.Mode != "") && len(in.Items) == 0 {
		return nil, invalid("where and mode say how items would be invalidated: send items with them.")
	}
	switch in.Mode {
	case "", distribution.InvalidationRemove, distribution.InvalidationStale:
	default:
		return nil, invalid("mode is %s or %s, not %.40q.", distribution.InvalidationRemove, distribution.InvalidationStale, in.Mode)
	}
	out := &question{items: in.Items, narrowed: in.Where.fact(), mode: in.Mode}
	var err error
	if out.where, err = parseWhere(out.narrowed); err != nil {
		return nil, err
	}
	headers, err := readHeaders(in.Headers)
	if err != nil {
		return nil, err
	}
	r := &message.Request{Method: "GET", Scheme: "http", Major: 1, Minor: 1, Fields: headers,
		Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}
	path := in.Path
	if in.URL != "" {
		if path, err = readURL(in.URL, r); err != nil {
			return nil, err
		}
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(path, "?")
	if in.DistributionID != "" {
		d, err := c.h.cfg.Control.Distribution(in.DistributionID)
		if err != nil {
			return nil, err
		}
		r.Host = d.DomainName
	}
	out.Question = edge.Question{Distribution: in.DistributionID, Request: r}
	return out, nil
}

// readURL takes a URL apart as a viewer would send it: what follows the host stays as it is written.
func readURL(url string, r *message.Request) (path string, err error) {
	scheme, rest, ok := strings.Cut(url, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return "", invalid("The URL must begin with http:// or https://.")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, path := rest[:end], rest[end:]
	path, _, _ = strings.Cut(path, "#")
	if path == "" || path[0] == '?' {
		path = "/" + path
	}
	host, port, _ := strings.Cut(host, ":")
	r.Scheme, r.Host, r.Port = scheme, strings.ToLower(host), port
	return path, nil
}

const maxPath = 8 << 10

// checkPath refuses what cannot stand in a request line.
func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return invalid("The path must begin with a slash.")
	case len(path) > maxPath:
		return invalid("The path has more than %d characters.", maxPath)
	}
	if i := strings.IndexFunc(path, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' }); i >= 0 {
		_, size := utf8.DecodeRuneInString(path[i:])
		return invalid("The path has a character that must be percent-encoded. Write %q as %s.", path[i:i+size], escaped(path[i:i+size]))
	}
	return nil
}

func escaped(octets string) string {
	var s strings.Builder
	for i := range len(octets) {
		fmt.Fprintf(&s, "%%%02X", octets[i])
	}
	return s.String()
}

const maxHeaders = 20

// framing are fields that say how a message is sent, not what is asked for.
var framing = map[string]bool{
	"Host": true, "Connection": true, "Content-Length": true, "Transfer-Encoding": true, "Upgrade": true, "Te": true,
	"Trailer": true, "Expect": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authorization": true,
}

func readHeaders(in map[string]string) (message.Fields, error) {
	if len(in) > maxHeaders {
		return nil, invalid("At most %d headers can be sent.", maxHeaders)
	}
	var out message.Fields
	for name, value := range in {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
			return nil, invalid("%.60q is no header's name.", name)
		case framing[canonical]:
			return nil, invalid("The header %s cannot be set here.", canonical)
		case len(value) > maxPath || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c >= 0x7f }):
			return nil, invalid("The value of the header %s cannot be sent.", canonical)
		}
		out.Add(canonical, value)
	}
	return out, nil
}
