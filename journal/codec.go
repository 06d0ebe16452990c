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
func Decode(b []byte) (*Entry, error) {
	var e Entry
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("%w: not an entry: %w", ErrDamaged, err)
	}
	if e.Seq == 0 || e.ID == "" || e.Epoch == "" {
		return nil, fmt.Errorf("%w: entry without number, id or epoch", ErrDamaged)
	}
	for i := range e.Facts {
		if n := e.Facts[i].members(); n != 1 {
			return nil, fmt.Errorf("%w: entry %d, fact %d has %d known members instead of one; was it written by a newer version?",
				ErrDamaged, e.Seq, i, n)
		}
	}
	return &e, nil
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
