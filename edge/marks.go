package edge

import (
	"slices"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// Marks are what an object knows beside its fields: they stand behind them, under names that no origin can send.
const (
	// codingField names the coding with which the object was compressed here; then tagField and varyField are
	// what the origin had sent as ETag and Vary, if it had.
	codingField = ":coding"
	tagField    = ":etag"
	varyField   = ":vary"
	// fromField is the last one of an object that a second member of an origin group has sent: its id.
	fromField = ":origin"
)

// marked is an answer's fields as they are stored.
func (f *flight) marked(fields message.Fields) message.Fields {
	second := f.asked != nil && f.asked != f.behavior
	if len(f.marks) == 0 && !second {
		return fields
	}
	fields = slices.Concat(fields, f.marks)
	if second {
		fields.Add(fromField, f.asked.Origin.ID)
	}
	return fields
}

// unmarked is an object's fields as viewers get them.
func unmarked(fields message.Fields) message.Fields {
	n := len(fields)
	for n > 0 && strings.HasPrefix(fields[n-1].Name, ":") {
		n--
	}
	return fields[:n:n]
}

// compressionMarks are what an object that is compressed with coding remembers of its fields as they were.
func compressionMarks(f message.Fields, coding string) message.Fields {
	m := message.Fields{{Name: codingField, Value: coding}}
	if tag := f.Get("ETag"); tag != "" {
		m.Add(tagField, tag)
	}
	if vary := f.Joined("Vary"); vary != "" {
		m.Add(varyField, vary)
	}
	return m
}

// original is an object's fields as its origin had sent them, and the coding with which it was compressed here;
// "" for none.
func original(stored message.Fields) (_ message.Fields, coding string) {
	f := unmarked(stored)
	if coding = stored.Get(codingField); coding == "" {
		return f, ""
	}
	f = slices.Clone(f)
	for _, was := range [...]struct{ name, mark string }{{"Content-Encoding", ""}, {"ETag", tagField}, {"Vary", varyField}} {
		f.Del(was.name)
		if value := stored.Get(was.mark); value != "" {
			f.Add(was.name, value)
		}
	}
	return f, coding
}
