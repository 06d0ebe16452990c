package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// MaxEntry is the greatest size of an encoded entry in bytes. Append refuses more with ErrTooLarge
// before anything is sent.
const MaxEntry = 1<<20 - 4096 // one MiB less room for the engine's headers

// Encode returns the stored form of e: JSON with the names of the Go fields.
func Encode(e *Entry) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // paths are full of &
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("journal: entry %d: %w", e.Seq, err)
	}
	b := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(b) > MaxEntry {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxEntry)
	}
	return b, nil
}

// Decode reads the stored form. What is not an entry, or holds a fact that this version does not know,
// is ErrDamaged: skipping a fact could serve what it forbids.
func Decode(b []byte) (*Entry, error) { return decodeBy(usual, b) }

// DecodeForEdge is Decode for edges, of which none goes by Completed.Edges: it leaves them out. They are a line of each of up to
// CompletedEdges edges, which each of these would read of all the others, for each invalidation.
func DecodeForEdge(b []byte) (*Entry, error) {
	e, err := decodeBy(usualForEdge, b)
	if err != nil {
		return nil, err
	}
	for i := range e.Facts {
		if c := e.Facts[i].Completed; c != nil {
			c.Edges = nil
		}
	}
	return e, nil
}

// decodeBy reads an entry by quick, which returns nil for a spelling that it does not know, and refuses one without what each has.
func decodeBy(quick func([]byte) *Entry, b []byte) (*Entry, error) {
	e := quick(b)
	if e == nil {
		var err error
		if e, err = decode(b); err != nil {
			return nil, err
		}
	}
	if e.Seq == 0 || e.ID == "" || e.Epoch == "" {
		return nil, fmt.Errorf("%w: entry without number, id or epoch", ErrDamaged)
	}
	return e, nil
}

// decode reads JSON of any spelling.
func decode(b []byte) (*Entry, error) {
	var e Entry
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("%w: not an entry: %w", ErrDamaged, err)
	}
	for i := range e.Facts {
		if n := e.Facts[i].members(); n != 1 {
			return nil, fmt.Errorf("%w: entry %d, fact %d has %d known members instead of one; was it written by a newer version?",
				ErrDamaged, e.Seq, i, n)
		}
	}
	return &e, nil
}

// DecodeAck reads an acknowledgement, which is JSON.
func DecodeAck(b []byte) (Ack, error) {
	if a, ok := usualAck(b); ok {
		return a, nil
	}
	var a Ack
	err := json.Unmarshal(b, &a)
	return a, err
}

// SeqOf returns the number of an encoded entry, and looks at no more of it than it must.
func SeqOf(b []byte) (uint64, error) {
	if rest, ok := bytes.CutPrefix(b, []byte(`{"Epoch":"`)); ok {
		if i := bytes.IndexByte(rest, '"'); i >= 0 {
			if digits, ok := bytes.CutPrefix(rest[i:], []byte(`","Seq":`)); ok {
				if seq, end := number(digits); end > 0 && digits[end] == ',' {
					return seq, nil
				}
			}
		}
	}
	e, err := Decode(b) // as somebody else would write it
	if err != nil {
		return 0, err
	}
	return e.Seq, nil
}

// number reads the digits at the beginning, of which there are end, and something behind them; 0: that is not so.
func number(b []byte) (n uint64, end int) {
	for i, c := range b {
		if c < '0' || c > '9' {
			return n, i
		}
		if n > (1<<63)/10 {
			return 0, 0
		}
		n = n*10 + uint64(c-'0')
	}
	return 0, 0
}

// members counts the members that are set.
func (f *Fact) members() (n int) {
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			n++
		}
	}
	return n
}
