package guarantee

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// A body is made of lines that each say all there is to say, so that any piece of it can be judged:
//
//	object 00012 version 0000000041 line 000003 of 000007 .........
//
// How many lines there are depends on the version too, where its validator does: a length of one version
// over the octets of another does not pass.
const lineSize = 64

const (
	atObject  = len("object ")
	atVersion = atObject + 5 + len(" version ")
	atLine    = atVersion + 10 + len(" line ")
	atOf      = atLine + 6 + len(" of ")
)

// lines is how many lines the body of a version has.
func (o *Object) lines(version uint64) int {
	if o.Kind == Rebuilt {
		return o.least
	}
	return o.least + int(version%3)
}

// size is the body's length in octets.
func (o *Object) size(version uint64) int64 { return int64(o.lines(version)) * lineSize }

// body returns the whole body of a version.
func (o *Object) body(version uint64) []byte {
	n := o.lines(version)
	b := make([]byte, 0, n*lineSize)
	line := o.line(version)
	for i := range n {
		digits(line[atLine:], 6, uint64(i))
		b = append(b, line...)
	}
	return b
}

// reader reads the body of a version from anywhere; large ones are not laid out at once.
func (o *Object) reader(version uint64) *io.SectionReader {
	return io.NewSectionReader(&octets{o, version}, 0, o.size(version))
}

// octets is the body of one version.
type octets struct {
	*Object
	version uint64
}

// ReadAt implements io.ReaderAt. It reads no further than the body goes: a SectionReader sees to it.
func (x *octets) ReadAt(p []byte, off int64) (n int, err error) {
	line := x.line(x.version)
	for n < len(p) {
		at := off + int64(n)
		digits(line[atLine:], 6, uint64(at/lineSize))
		n += copy(p[n:], line[at%lineSize:])
	}
	return n, nil
}

// line is line 0 of a version, to write other numbers into.
func (o *Object) line(version uint64) []byte {
	b := bytes.Repeat([]byte{'.'}, lineSize)
	copy(b, fmt.Sprintf("object %05d version %010d line %06d of %06d ", o.Number, version, 0, o.lines(version)))
	b[lineSize-1] = '\n'
	return b
}

// digits writes n in decimal, with leading zeros, into width octets.
func digits(b []byte, width int, n uint64) {
	for i := width - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
}

// check compares b with what stands at offset off of the version's body. The error says what b is
// instead.
func (o *Object) check(version uint64, b []byte, off int64) error {
	line := o.line(version)
	for i := 0; i < len(b); {
		at := off + int64(i)
		if at >= o.size(version) {
			return fmt.Errorf("%d octets more than version %d has", len(b)-i, version)
		}
		digits(line[atLine:], 6, uint64(at/lineSize))
		want := line[at%lineSize:]
		n := min(len(want), len(b)-i)
		if !bytes.Equal(b[i:i+n], want[:n]) {
			return fmt.Errorf("octet %d and on should be %q of version %d, but is %q", at, want[:n], version, b[i:i+n])
		}
		i += n
	}
	return nil
}

// oldest compares b with what stands at offset off of any versions, line by line, and returns the least of
// them; off is where a line begins. 0: b is shorter than what says a version.
func (o *Object) oldest(b []byte, off int64) (least uint64, err error) {
	for len(b) >= atVersion+10 {
		said := b[atVersion : atVersion+10]
		v, err := strconv.ParseUint(string(said), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("octet %d and on says no version: %q", off, said)
		}
		n := lineSize
		for n+atVersion+10 <= len(b) && bytes.Equal(b[n+atVersion:n+atVersion+10], said) {
			n += lineSize
		}
		n = min(n, len(b))
		if err := o.check(v, b[:n], off); err != nil {
			return 0, err
		}
		if least == 0 || v < least {
			least = v
		}
		b, off = b[n:], off+int64(n)
	}
	return least, nil
}
