package load

import (
	"encoding/binary"
	"fmt"
)

// HTTP/2's frame types and flags that matter here (RFC 9113, section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindowUpdate = 0x8

	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

const (
	preface    = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	window     = 1 << 30 // of the connection and of each stream
	headerSize = 9
)

// Frames follows the answers of one HTTP/2 connection. It looks at frame headers, at the first octet of
// each answer's header block, and at nothing else of headers and bodies.
type Frames struct {
	Answers int    // streams that ended, since the caller last set it to zero
	Data    int    // octets of DATA payload, since the caller last set it to zero
	Reply   []byte // what must be sent: acknowledgements and window updates; the caller takes it

	header  [headerSize]byte
	have    int // octets of header
	left    int // octets of the payload that have not come
	look    []byte
	looking bool // the payload's first octets are wanted
	credit  int  // octets of DATA that no window update has given back
}

// Feed takes the next octets.
func (f *Frames) Feed(p []byte) error {
	for len(p) > 0 {
		if f.have < headerSize {
			n := copy(f.header[f.have:], p)
			f.have += n
			p = p[n:]
			if f.have < headerSize {
				return nil
			}
			f.begin()
		} else {
			n := min(f.left, len(p))
			if f.looking {
				f.look = append(f.look, p[:min(n, 16-min(16, len(f.look)))]...)
			}
			f.left -= n
			p = p[n:]
		}
		if f.left == 0 {
			f.have = 0
			if err := f.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Frames) begin() {
	f.left = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
	f.look = f.look[:0]
	switch f.header[3] {
	case frameData:
		f.looking = false
		f.Data += f.left
		f.credit += f.left
	default:
		f.looking = true
	}
}

// end is called when a frame is whole.
func (f *Frames) end() error {
	kind, flags := f.header[3], f.header[4]
	switch kind {
	case frameHeaders:
		if err := f.status(flags); err != nil {
			return err
		}
	case frameSettings:
		if flags&flagAck == 0 {
			f.Reply = appendFrame(f.Reply, frameSettings, flagAck, 0, nil)
		}
	case framePing:
		if flags&flagAck == 0 {
			f.Reply = appendFrame(f.Reply, framePing, flagAck, 0, f.look)
		}
	case frameReset:
		return fmt.Errorf("the server reset stream %d: error %x", binary.BigEndian.Uint32(f.header[5:]), f.look)
	case frameGoAway:
		return fmt.Errorf("the server went away: %x", f.look)
	}
	if kind == frameData || kind == frameHeaders {
		if flags&flagEndStream != 0 {
			f.Answers++
		}
	}
	if f.credit > window/2 {
		f.Reply = appendFrame(f.Reply, frameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(f.credit)))
		f.credit = 0
	}
	return nil
}

// status wants the header block to begin with ":status: 200", which is one octet of HPACK's static table.
func (f *Frames) status(flags byte) error {
	block := f.look
	if flags&flagPadded != 0 {
		block = block[min(1, len(block)):]
	}
	if flags&flagPriority != 0 {
		block = block[min(5, len(block)):]
	}
	for len(block) > 0 && block[0]&0xe0 == 0x20 { // a new size of the dynamic table comes first
		more := block[0]&0x1f == 0x1f
		block = block[1:]
		for more && len(block) > 0 {
			more = block[0]&0x80 != 0
			block = block[1:]
		}
	}
	if len(block) == 0 || block[0] != 0x88 {
		return fmt.Errorf("an answer whose header block does not begin with :status 200: %x", f.look)
	}
	return nil
}

func appendFrame(b []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	b = append(b, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// hello is what a client sends first: the preface, windows that never close, no push.
func hello() []byte {
	settings := []byte{0, 2, 0, 0, 0, 0, 0, 4}
	settings = binary.BigEndian.AppendUint32(settings, window)
	b := appendFrame([]byte(preface), frameSettings, 0, 0, settings)
	return appendFrame(b, frameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, window-65535))
}
