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
// variants may have the same answer. names are sorted, in lower case; f is what the origin got.
func Variant(names []string, f message.Fields) [sha256.Size]byte {
	var b []byte
	for _, n := range names {
		if !f.Has(n) {
			b = append(b, 0) // absent is not the same as empty
			continue
		}
		value := normalised(n, f)
		b = binary.BigEndian.AppendUint32(append(b, 1), uint32(len(value)))
		b = append(b, value...)
	}
	return sha256.Sum256(b)
}

// normalised is the value that the lines of a field have together. Of the fields whose members have no case
// and no order, both go too.
func normalised(name string, f message.Fields) []byte {
	value, _ := f.AppendCombined(nil, name)
	switch name {
	case "accept-language", "accept-encoding", "accept-charset":
		var all []string
		for m := (members{rest: string(value)}); m.more(); {
			if member := strings.ToLower(strings.ReplaceAll(m.next(), " ", "")); member != "" { // RFC 9110 section 5.6.1.2
				all = append(all, member)
			}
		}
		slices.Sort(all)
		return []byte(strings.Join(all, ","))
	}
	return value
}
