package wire

import (
	"bytes"
	"encoding"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Bounds of a document that is read. The deepest structure of the model has 11 levels.
const (
	MaxDocument = 16 << 20 // bytes
	MaxDepth    = 32       // elements inside each other
)

// InputError says what is wrong with a document that a client sent.
type InputError struct {
	Code    string // MissingBody, MalformedXML, MalformedInput or InconsistentQuantities
	Message string
}

func (e *InputError) Error() string { return e.Code + ": " + e.Message }

func notXML(format string, args ...any) error {
	return &InputError{"MalformedXML", fmt.Sprintf(format, args...)}
}

func notModel(format string, args ...any) error {
	return &InputError{"MalformedInput", fmt.Sprintf(format, args...)}
}

// Unmarshal reads a document with that root element into v, a pointer to a structure of this package.
// Every failure is an *InputError: MissingBody for nothing, MalformedXML for what is not well-formed,
// MalformedInput for what the model does not know.
//
// It is strict, because what is ignored silently is a setting that somebody believes in: unknown
// elements, attributes, text between elements, members that come twice and numbers that are none are
// refused by name. So are document types and entities other than XML's five. The order of elements is
// free; the namespace may be left out or be that of any version of the API; a list without elements
// reads as none.
func Unmarshal(data []byte, root string, v any) error {
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if len(bytes.TrimSpace(data)) == 0 {
		return &InputError{"MissingBody", "This operation requires a body. Ensure that the body is present and that the Content-Type header is set."}
	}
	if len(data) > MaxDocument {
		return notXML("the document is longer than %d bytes", MaxDocument)
	}
	r := &reader{Decoder: xml.NewDecoder(bytes.NewReader(data))}
	start, err := r.root(root)
	if err != nil {
		return err
	}
	if err := r.value(start, reflect.ValueOf(v).Elem(), root); err != nil {
		return err
	}
	return r.epilog(root)
}

type reader struct {
	*xml.Decoder
	depth int
	begun bool // the first token has been read
}

// next is the only place that takes tokens: it refuses what may stand nowhere and skips comments.
// It returns io.EOF outside the root element only; a document that ends inside is a syntax error.
func (r *reader) next() (xml.Token, error) {
	for {
		tok, err := r.Token()
		first := !r.begun
		r.begun = true
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, notXML("Invalid XML document: %s", strings.TrimPrefix(err.Error(), "XML syntax error "))
		}
		switch t := tok.(type) {
		case xml.Comment:
			continue
		case xml.Directive:
			return nil, notXML("Invalid XML document: a document type declaration is not allowed")
		case xml.ProcInst:
			if t.Target != "xml" || !first {
				return nil, notXML("Invalid XML document: the processing instruction %q is not allowed here", t.Target)
			}
			continue
		case xml.StartElement:
			if r.depth++; r.depth > MaxDepth {
				return nil, notXML("Invalid XML document: more than %d elements inside each other", MaxDepth)
			}
			return t, checkElement(t)
		case xml.EndElement:
			r.depth--
		}
		return tok, nil
	}
}

var versionNamespace = regexp.MustCompile(`^http://cloudfront\.amazonaws\.com/doc/\d{4}-\d{2}-\d{2}/$`)

func checkElement(t xml.StartElement) error {
	if t.Name.Space != "" && !versionNamespace.MatchString(t.Name.Space) {
		return notModel("element '%s' is in the unknown namespace '%s'", t.Name.Local, t.Name.Space)
	}
	for _, a := range t.Attr {
		if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
			return notModel("element '%s' has the unknown attribute '%s'", t.Name.Local, a.Name.Local)
		}
	}
	return nil
}

func (r *reader) root(want string) (xml.StartElement, error) {
	for {
		tok, err := r.next()
		if errors.Is(err, io.EOF) {
			return xml.StartElement{}, notXML("Invalid XML document: it has no element")
		}
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if t.Name.Local != want {
				return t, notModel("the root element is '%s', expected '%s'", t.Name.Local, want)
			}
			return t, nil
		case xml.CharData:
			if !blank(t) {
				return xml.StartElement{}, notXML("Invalid XML document: text before the root element")
			}
		}
	}
}

// epilog accepts what may follow the root element: nothing but blanks and comments.
func (r *reader) epilog(root string) error {
	for {
		tok, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t, ok := tok.(xml.CharData); !ok || !blank(t) {
			return notXML("Invalid XML document: something follows the root element '%s'", root)
		}
	}
}

func blank(b []byte) bool { return len(bytes.Trim(b, " \t\r\n")) == 0 }

// value reads the inside of an element, up to and with its end, into v. path names it in errors.
func (r *reader) value(start xml.StartElement, v reflect.Value, path string) error {
	if isStructure(v.Type()) {
		return r.structure(v, path)
	}
	text, err := r.text(path)
	if err != nil {
		return err
	}
	return setScalar(v, text, path)
}

func (r *reader) structure(v reflect.Value, path string) error {
	p := planOf(v.Type())
	var seen uint64 // bit per member; planOf checks that they suffice
	return r.children(path, func(start xml.StartElement) error {
		i, known := p.byName[start.Name.Local]
		inner := path + "." + start.Name.Local
		if !known {
			return notModel("unknown element '%s'", inner)
		}
		if seen&(1<<i) != 0 {
			return notModel("element '%s' is there twice", inner)
		}
		seen |= 1 << i
		m, f := p.members[i], v.Field(p.members[i].index)
		if m.item != "" {
			return r.list(f, m.item, inner)
		}
		if f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
			f = f.Elem()
		}
		return r.value(start, f, inner)
	})
}

func (r *reader) list(f reflect.Value, item, path string) error {
	return r.children(path, func(start xml.StartElement) error {
		if start.Name.Local != item {
			return notModel("unknown element '%s.%s', expected '%s'", path, start.Name.Local, item)
		}
		f.Grow(1)
		f.SetLen(f.Len() + 1)
		return r.value(start, f.Index(f.Len()-1), path+"."+item)
	})
}

// children calls visit for each element inside the current one, up to its end.
func (r *reader) children(path string, visit func(xml.StartElement) error) error {
	for {
		tok, err := r.next()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := visit(t); err != nil {
				return err
			}
		case xml.CharData:
			if !blank(t) {
				return notModel("unexpected text in element '%s'", path)
			}
		case xml.EndElement:
			return nil
		}
	}
}

func (r *reader) text(path string) (string, error) {
	var text []byte
	for {
		tok, err := r.next()
		if err != nil {
			return "", err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return "", notModel("unexpected element '%s.%s'", path, t.Name.Local)
		case xml.CharData:
			text = append(text, t...)
		case xml.EndElement:
			return string(text), nil
		}
	}
}

// setScalar allows blanks around what is not a string, as XML Schema does; nothing else.
func setScalar(v reflect.Value, text, path string) error {
	trimmed := strings.Trim(text, " \t\r\n")
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if trimmed != "true" && trimmed != "false" {
			return notModel("'%.60s' at '%s' is neither true nor false", trimmed, path)
		}
		v.SetBool(trimmed == "true")
	case reflect.Int64:
		n, err := strconv.ParseInt(trimmed, 10, 64)
		if err != nil || trimmed[0] == '+' {
			return notModel("'%.60s' at '%s' is not an integer", trimmed, path)
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || !decimal.MatchString(trimmed) {
			return notModel("'%.60s' at '%s' is not a number", trimmed, path)
		}
		v.SetFloat(n)
	default: // Timestamp, Blob
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(trimmed)); err != nil {
			return notModel("'%.60s' at '%s' cannot be read: %v", trimmed, path, err)
		}
	}
	return nil
}

// decimal keeps out what only Go reads as a number: "Inf", "0x1p4", "1_000".
var decimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
