package httpcache

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// VaryNames returns the names that Vary has, in lower case, sorted, each once.
func VaryNames(f message.Fields) []string {
	var names []string
	eachVary(f, func(name string) { names = append(names, strings.ToLower(name)) })
	slices.Sort(names)
	return slices.Compact(names)
}

// Variant tells requests apart by the fields named (RFC 9111 section 4.1): two requests with equal
// variants may have the same answer. names are sorted, in lower case; f is what the origin got. They are in the
// variant too: an answer may still be there that was chosen by others, and the same words mean something else in them.
func Variant(names []string, f message.Fields) [sha256.Size]byte {
	var b []byte
	for _, n := range names {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(n))), n...)
		lines := f.Values(n)
		if len(lines) == 0 {
			b = append(b, 0) // absent is not the same as empty
			continue
		}
		value := normalised(n, lines)
		b = binary.BigEndian.AppendUint32(append(b, 1), uint32(len(value)))
		b = append(b, value...)
	}
	return sha256.Sum256(b)
}

// normalised joins the lines of a field and drops blanks around commas, none of which changes what a
// list says. Of the fields whose members have no case and no order, both go too.
func normalised(name string, lines []string) string {
	var all []string
	for _, line := range lines {
		for m := (members{rest: line}); m.more(); {
			all = append(all, m.next())
		}
		if strings.HasSuffix(line, ",") || line == "" {
			all = append(all, "")
		}
	}
	switch name {
	case "accept-language", "accept-encoding", "accept-charset":
		for i := range all {
			all[i] = strings.ToLower(strings.ReplaceAll(all[i], " ", ""))
		}
		slices.Sort(all)
	}
	return strings.Join(all, ",")
}
