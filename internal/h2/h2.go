// Package h2 knows how HTTP/2 is written down (RFC 9113 sections 4 and 6): frames as octets, header blocks of
// answers; and the arithmetic of one connection: flow-control windows, what a viewer may do for nothing, which answer goes
// next. It is pure: no socket, no goroutine, no clock, no allocation. httpserver lives the connection.
//
// A parser here is given a complete frame and returns a *Fault when it is none; nothing is kept.
package h2

import "encoding/binary"

// Type is a frame's type.
type Type uint8

// The types of RFC 9113 section 6 and RFC 9218 section 7.1. Others are ignored.
const (
	Data Type = iota
	Headers
	Priority
	RSTStream
	Settings
	PushPromise
	Ping
	GoAway
	WindowUpdate
	Continuation
	PriorityUpdate Type = 0x10
)

// Flags of a frame.
type Flags uint8

// The flags; what they mean depends on the type.
const (
	Ack         Flags = 0x1
	EndStream   Flags = 0x1
	EndHeaders  Flags = 0x4
	Padded      Flags = 0x8
	HasPriority Flags = 0x20
)

const (
	// HeaderLen is the length of a frame's header.
	HeaderLen = 9
	// MaxSize is the largest payload, in both directions: SETTINGS_MAX_FRAME_SIZE as it is when nobody
	// says anything. Larger frames would only make everybody else wait longer.
	MaxSize = 16384
	// Preface begins a connection (RFC 9113 section 3.4).
	Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// Header is a frame's header.
type Header struct {
	Length int
	Type   Type
	Flags  Flags
	Stream uint32
}

// Has tells whether a flag is set.
func (h Header) Has(f Flags) bool { return h.Flags&f != 0 }

// Parse reads a frame's header; ok is false when b is too short for one.
func Parse(b []byte) (h Header, ok bool) {
	if len(b) < HeaderLen {
		return h, false
	}
	return Header{
		Length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		Type:   Type(b[3]),
		Flags:  Flags(b[4]),
		Stream: binary.BigEndian.Uint32(b[5:]) & 0x7fffffff, // the reserved bit is ignored
	}, true
}

// Put writes a frame's header over the first HeaderLen octets of b.
func (h Header) Put(b []byte) {
	_ = b[HeaderLen-1]
	b[0], b[1], b[2] = byte(h.Length>>16), byte(h.Length>>8), byte(h.Length)
	b[3], b[4] = byte(h.Type), byte(h.Flags)
	binary.BigEndian.PutUint32(b[5:], h.Stream)
}

// Append appends a frame's header.
func (h Header) Append(dst []byte) []byte {
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	h.Put(dst[len(dst)-HeaderLen:])
	return dst
}

// Check judges a header: may such a frame come on such a stream, in such a size? It is known before the
// payload has come, and always is a fault of the connection.
func (h Header) Check() *Fault {
	if h.Length > MaxSize {
		return FrameSize
	}
	switch h.Type {
	case Data, Headers, Continuation:
		return onStream(h.Stream != 0)
	case Priority:
		return onStream(h.Stream != 0) // another length is a fault of the stream
	case RSTStream:
		return fixed(h.Stream != 0, h.Length == 4)
	case Settings:
		return fixed(h.Stream == 0, h.Length%6 == 0 && (h.Length == 0 || !h.Has(Ack)))
	case Ping:
		return fixed(h.Stream == 0, h.Length == 8)
	case GoAway:
		return fixed(h.Stream == 0, h.Length >= 8)
	case WindowUpdate:
		return fixed(true, h.Length == 4)
	case PriorityUpdate:
		return fixed(h.Stream == 0, h.Length >= 4)
	case PushPromise:
		return Protocol // only servers push
	}
	return nil
}

func onStream(ok bool) *Fault {
	if !ok {
		return Protocol
	}
	return nil
}

func fixed(stream, length bool) *Fault {
	switch {
	case !stream:
		return Protocol
	case !length:
		return FrameSize
	}
	return nil
}

// Unpad takes the padding off the payload of DATA or HEADERS.
func Unpad(h Header, p []byte) ([]byte, *Fault) {
	if !h.Has(Padded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, FrameSize
	}
	n := int(p[0])
	if p = p[1:]; n > len(p) {
		return nil, Protocol
	}
	return p[:len(p)-n], nil
}

// Fragment takes padding and the old priority off the payload of HEADERS. itself tells that the stream is
// said to depend on itself, which RFC 7540 section 5.3.1 forbade.
func Fragment(h Header, p []byte) (fragment []byte, itself bool, f *Fault) {
	if p, f = Unpad(h, p); f != nil || !h.Has(HasPriority) {
		return p, false, f
	}
	if len(p) < 5 {
		return nil, false, FrameSize
	}
	return p[5:], DependsOn(p) == h.Stream, nil
}

// DependsOn is the stream that the payload of a PRIORITY frame, of at least four octets, names.
func DependsOn(p []byte) uint32 { return binary.BigEndian.Uint32(p) & 0x7fffffff }

// Uint32 reads the payload of RST_STREAM and the beginning of others.
func Uint32(p []byte) uint32 { return binary.BigEndian.Uint32(p) }

// AppendReset appends an RST_STREAM frame.
func AppendReset(dst []byte, stream uint32, code Code) []byte {
	dst = Header{Length: 4, Type: RSTStream, Stream: stream}.Append(dst)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendWindowUpdate appends a WINDOW_UPDATE frame; stream 0 is the connection.
func AppendWindowUpdate(dst []byte, stream uint32, n int) []byte {
	dst = Header{Length: 4, Type: WindowUpdate, Stream: stream}.Append(dst)
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

// AppendGoAway appends a GOAWAY frame. why is for whoever debugs.
func AppendGoAway(dst []byte, last uint32, code Code, why string) []byte {
	dst = Header{Length: 8 + len(why), Type: GoAway}.Append(dst)
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, why...)
}

// AppendPing appends a PING frame with data's first eight octets.
func AppendPing(dst []byte, flags Flags, data []byte) []byte {
	dst = Header{Length: 8, Type: Ping, Flags: flags}.Append(dst)
	return append(dst, data[:8]...)
}

// AppendHeaders appends room for a HEADERS frame and returns where it begins. The caller appends the
// header block, then calls EndHeadersAt.
func AppendHeaders(dst []byte) (out []byte, at int) {
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0), len(dst)
}

// EndHeadersAt completes the frame that begins at at. A block larger than a frame is continued in others.
func EndHeadersAt(dst []byte, at int, stream uint32, end bool) []byte {
	h := Header{Length: len(dst) - at - HeaderLen, Type: Headers, Stream: stream}
	if end {
		h.Flags = EndStream
	}
	for h.Length > MaxSize {
		rest := h.Length - MaxSize
		h.Length = MaxSize
		h.Put(dst[at:])
		at += HeaderLen + MaxSize
		dst = append(dst, "123456789"...)
		copy(dst[at+HeaderLen:], dst[at:at+rest])
		h = Header{Length: rest, Type: Continuation, Stream: stream}
	}
	h.Flags |= EndHeaders
	h.Put(dst[at:])
	return dst
}
