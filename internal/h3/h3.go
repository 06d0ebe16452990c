// Package h3 knows how HTTP/3 is written down (RFC 9114): the frames of its streams, its settings, and
// field sections in that part of QPACK (RFC 9204) which needs no memory of what came before.
//
// Both sides of a connection may keep a table of fields that they have sent; a section that refers to it
// waits for another stream. We allow no such table and use none, so every section can be read by itself:
// a viewer cannot make us keep anything, and none of its streams waits for another.
//
// It reads no socket and starts nothing; what a field means is its caller's business.
package h3

import (
	"errors"
	"io"
)

// Type of a frame.
type Type uint64

// Frames of RFC 9114. Any other type is skipped wherever it comes, except for the reserved ones.
const (
	Data        Type = 0x0
	Headers     Type = 0x1
	CancelPush  Type = 0x3
	Settings    Type = 0x4
	PushPromise Type = 0x5
	GoAway      Type = 0x7
	MaxPushID   Type = 0xd
)

// Reserved tells the types that HTTP/2 used and that must not come (section 7.2.8).
func (t Type) Reserved() bool { return t == 0x2 || t == 0x6 || t == 0x8 || t == 0x9 }

// Known tells whether the RFC gives the type a meaning, somewhere.
func (t Type) Known() bool {
	return t <= Settings && !t.Reserved() || t == PushPromise || t == GoAway || t == MaxPushID
}

// Types of unidirectional streams.
const (
	ControlStream uint64 = 0x0
	PushStream    uint64 = 0x1
	EncoderStream uint64 = 0x2 // QPACK's
	DecoderStream uint64 = 0x3 // QPACK's
)

// Error codes of RFC 9114 section 8.1 and RFC 9204 section 6.
const (
	NoError             uint64 = 0x100
	InternalError       uint64 = 0x102
	StreamCreationError uint64 = 0x103
	ClosedCritical      uint64 = 0x104
	FrameUnexpected     uint64 = 0x105
	FrameError          uint64 = 0x106
	ExcessiveLoad       uint64 = 0x107
	SettingsError       uint64 = 0x109
	MissingSettings     uint64 = 0x10a
	RequestRejected     uint64 = 0x10b
	RequestCancelled    uint64 = 0x10c
	RequestIncomplete   uint64 = 0x10d
	MessageError        uint64 = 0x10e
	DecompressionFailed uint64 = 0x200
	EncoderStreamError  uint64 = 0x201
)

// ReadInt reads an integer of QUIC's (RFC 9000 section 16). io.EOF says that there is none,
// io.ErrUnexpectedEOF that it broke off.
func ReadInt(r io.ByteReader) (uint64, error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	v := uint64(b & 0x3f)
	for range 1<<(b>>6) - 1 {
		if b, err = r.ReadByte(); err != nil {
			return 0, broken(err)
		}
		v = v<<8 | uint64(b)
	}
	return v, nil
}

// ReadFrame reads the head of a frame: its type, and the length of what follows.
func ReadFrame(r io.ByteReader) (t Type, length uint64, err error) {
	n, err := ReadInt(r)
	if err != nil {
		return 0, 0, err
	}
	if length, err = ReadInt(r); err != nil {
		return 0, 0, broken(err)
	}
	return Type(n), length, nil
}

func broken(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// AppendInt appends v, which must be below 1<<62, in as few octets as it needs.
func AppendInt(dst []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(dst, byte(v))
	case v < 1<<14:
		return append(dst, 0x40|byte(v>>8), byte(v))
	case v < 1<<30:
		return append(dst, 0x80|byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return append(dst, 0xc0|byte(v>>56), byte(v>>48), byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// AppendFrame appends the head of a frame.
func AppendFrame(dst []byte, t Type, length uint64) []byte {
	return AppendInt(AppendInt(dst, uint64(t)), length)
}

// Settings that we send. What they leave out has the values that we want: no table, no stream that
// waits for one, no extended CONNECT, no datagrams.
const settingMaxFieldSection = 0x6

// AppendSettings appends a SETTINGS frame. maxFields is in the RFC's measure, which counts 32 octets
// more for each field.
func AppendSettings(dst []byte, maxFields uint64) []byte {
	body := AppendInt(AppendInt(nil, settingMaxFieldSection), maxFields)
	return append(AppendFrame(dst, Settings, uint64(len(body))), body...)
}

// ErrSettings says that a SETTINGS frame is not what it must be.
var ErrSettings = errors.New("h3: malformed settings")

// MaxSettings is how many settings a frame may have. There are a handful, and browsers add one that means nothing.
const MaxSettings = 64

// CheckSettings reads the payload of a SETTINGS frame. Nothing in it changes what we send; it only has to
// be well-formed: no setting twice, none of HTTP/2's.
func CheckSettings(p []byte) error {
	var seen [MaxSettings]uint64
	for n := 0; len(p) > 0; n++ {
		id, rest, ok := cutInt(p)
		if ok {
			_, rest, ok = cutInt(rest)
		}
		if !ok || n == MaxSettings || id >= 0x2 && id <= 0x5 {
			return ErrSettings
		}
		for _, before := range seen[:n] {
			if before == id {
				return ErrSettings
			}
		}
		seen[n], p = id, rest
	}
	return nil
}

// cutInt takes an integer from the beginning of p.
func cutInt(p []byte) (v uint64, rest []byte, ok bool) {
	if len(p) == 0 {
		return 0, nil, false
	}
	n := 1 << (p[0] >> 6)
	if len(p) < n {
		return 0, nil, false
	}
	v = uint64(p[0] & 0x3f)
	for _, b := range p[1:n] {
		v = v<<8 | uint64(b)
	}
	return v, p[n:], true
}
