package wire

import (
	"bytes"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Marshal writes v, a structure of this package or a pointer to one, as the document that CloudFront
// would send: XML declaration, root element in the API's namespace, members in the model's order.
//
// What was not set is not written, and an empty list has no Items element: clients read an empty one
// as a list with one empty member. It fails only on what XML cannot say: control characters, invalid
// UTF-8, infinite numbers.
func Marshal(root string, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	if !isStructure(rv.Type()) {
		return nil, fmt.Errorf("wire: cannot write a %T as document %s", v, root)
	}
	w := &writer{}
	w.WriteString("<?xml version=\"1.0\"?>\n<" + root + ` xmlns="` + Namespace + `">`)
	if err := w.members(rv); err != nil {
		return nil, fmt.Errorf("wire: %s%w", root, err)
	}
	w.end(root)
	return w.Bytes(), nil
}

type writer struct{ bytes.Buffer }

func (w *writer) start(name string) { w.WriteString("<" + name + ">") }
func (w *writer) end(name string)   { w.WriteString("</" + name + ">") }

// members writes what is inside a structure's element. Errors begin with the path to the member.
func (w *writer) members(v reflect.Value) error {
	for _, m := range planOf(v.Type()).members {
		f := v.Field(m.index)
		if f.IsNil() || (m.item != "" && f.Len() == 0) {
			continue
		}
		w.start(m.name)
		if err := w.member(f, m); err != nil {
			return fmt.Errorf(".%s%w", m.name, err)
		}
		w.end(m.name)
	}
	return nil
}

func (w *writer) member(f reflect.Value, m member) error {
	if m.item == "" {
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		return w.value(f)
	}
	for i := range f.Len() {
		w.start(m.item)
		if err := w.value(f.Index(i)); err != nil {
			return fmt.Errorf("[%d]%w", i, err)
		}
		w.end(m.item)
	}
	return nil
}

func (w *writer) value(v reflect.Value) error {
	if isStructure(v.Type()) {
		return w.members(v)
	}
	switch v.Kind() {
	case reflect.String:
		return w.text(v.String())
	case reflect.Bool:
		w.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int64:
		w.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return fmt.Errorf(": %v is not a number that XML can say", v.Float())
		}
		w.WriteString(strconv.FormatFloat(v.Float(), 'f', -1, 64))
	default: // Timestamp, Blob
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return fmt.Errorf(": %w", err)
		}
		w.Write(b)
	}
	return nil
}

func (w *writer) text(s string) error {
	for i, r := range s {
		if r == utf8.RuneError && !isReplacement(s[i:]) || !inXML(r) {
			return fmt.Errorf(": byte %d of %.60q cannot stand in XML", i, s)
		}
	}
	w.WriteString(EscapeText(s))
	return nil
}

// escapes are those that text between elements needs; a reader would turn a bare CR into LF.
var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")

// EscapeText writes s as the text of an element. What cannot stand in XML becomes U+FFFD.
func EscapeText(s string) string {
	s = strings.Map(func(r rune) rune {
		if !inXML(r) {
			return utf8.RuneError
		}
		return r
	}, s)
	return escapes.Replace(s)
}

// isReplacement tells a real U+FFFD from the one that ranging over invalid UTF-8 gives.
func isReplacement(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size > 1
}

// inXML is the production Char of XML 1.0.
func inXML(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}
