package h1

import "errors"

// ErrChunk says that a chunked body is not one. Where it would end is unknown from then on, so the
// connection carries nothing more.
var ErrChunk = errors.New("malformed chunked body")

// What surrounds the chunks must not cost more than it carries (L9).
const (
	maxChunkLine = 256       // octets of one line of size and extensions
	maxExtension = 16 << 10  // octets of all extensions of a body
	maxTrailer   = 8 << 10   // octets of the trailer section
	maxChunkSize = 1<<60 - 1 // as many hexadecimal digits as maxChunkDigits

	maxChunkDigits = 15 // zeros in front included: of more of them readers think differently
)

// Chunks follows the framing of a chunked body (RFC 9112 section 7.1), octet by octet. It accepts what
// the grammar generates without the blanks that it tolerates ("BWS"): a size, extensions with token
// or quoted values, CRLF. Extensions and trailers are checked and forgotten, so nothing in them can
// reach anybody.
type Chunks struct {
	at       chunkState
	left     int64 // octets of data to come in this chunk, while at is chunkData
	line     int   // octets of the line so far
	extended int   // octets of extensions so far
	trailer  int   // octets of the trailer section so far
}

type chunkState uint8

const (
	chunkSize      chunkState = iota // the first digit
	chunkDigits                      // more digits, or the end of the size
	chunkExtension                   // the first octet of an extension's name
	chunkName
	chunkValue // the first octet of its value
	chunkToken
	chunkQuoted
	chunkEscaped
	chunkUnquoted // after the closing quote
	chunkLF       // of the line of the size
	chunkData
	chunkDataCR
	chunkDataLF
	trailerLine // the first octet of a line, or the end
	trailerName
	trailerValue
	trailerLF
	chunkEndLF
	chunkEnd
)

// Feed takes framing octets until data, the end, or the end of b, and returns how many.
func (c *Chunks) Feed(b []byte) (n int, err error) {
	for n < len(b) && c.at != chunkData && c.at != chunkEnd {
		if !c.next(b[n]) {
			return n, ErrChunk
		}
		n++
	}
	return n, nil
}

// next takes one octet.
func (c *Chunks) next(b byte) bool {
	switch {
	case c.at <= chunkLF:
		if c.line++; c.line > maxChunkLine {
			return false
		}
		return c.sizeLine(b)
	case c.at >= trailerLine:
		if c.trailer++; c.trailer > maxTrailer {
			return false
		}
		return c.trailers(b)
	case c.at == chunkDataCR:
		c.at = chunkDataLF
		return b == '\r'
	}
	c.at, c.line = chunkSize, 0
	return b == '\n'
}

// sizeLine takes an octet of the line before a chunk's data.
func (c *Chunks) sizeLine(b byte) bool {
	switch c.at {
	case chunkSize, chunkDigits:
		if Hex(b) && c.line <= maxChunkDigits && c.left <= maxChunkSize>>4 {
			c.at, c.left = chunkDigits, c.left<<4|unhex(b)
			return true
		}
		return c.at == chunkDigits && c.ended(b)
	case chunkLF:
		if c.at = chunkData; c.left == 0 {
			c.at = trailerLine
		}
		return b == '\n'
	}
	if c.extended++; c.extended > maxExtension {
		return false
	}
	return c.extension(b)
}

// ended takes the octet after a part of the line.
func (c *Chunks) ended(b byte) bool {
	switch b {
	case '\r':
		c.at = chunkLF
	case ';':
		c.at = chunkExtension
	default:
		return false
	}
	return true
}

func (c *Chunks) extension(b byte) bool {
	token := octets[b]&InToken != 0
	switch c.at {
	case chunkExtension:
		c.at = chunkName
		return token
	case chunkName:
		if b == '=' {
			c.at = chunkValue
			return true
		}
		return token || c.ended(b)
	case chunkValue:
		if c.at = chunkToken; b == '"' {
			c.at = chunkQuoted
			return true
		}
		return token
	case chunkToken:
		return token || c.ended(b)
	case chunkQuoted:
		switch b {
		case '"':
			c.at = chunkUnquoted
		case '\\':
			c.at = chunkEscaped
		}
		return octets[b]&InValue != 0
	case chunkEscaped:
		c.at = chunkQuoted
		return octets[b]&InValue != 0
	}
	return c.ended(b)
}

func (c *Chunks) trailers(b byte) bool {
	switch c.at {
	case trailerLine:
		if b == '\r' {
			c.at = chunkEndLF
			return true
		}
		c.at = trailerName
		return octets[b]&InToken != 0
	case trailerName:
		if b == ':' {
			c.at = trailerValue
			return true
		}
		return octets[b]&InToken != 0
	case trailerValue:
		if b == '\r' {
			c.at = trailerLF
			return true
		}
		return octets[b]&InValue != 0
	case trailerLF:
		c.at = trailerLine
		return b == '\n'
	}
	c.at = chunkEnd
	return b == '\n'
}

// Left returns how many octets of data come next, before more framing: 0 unless Feed has stopped for them.
func (c *Chunks) Left() int64 {
	if c.at != chunkData {
		return 0
	}
	return c.left
}

// Ended tells whether the body is over, trailers and all.
func (c *Chunks) Ended() bool { return c.at == chunkEnd }

// Took notes that n octets of data have been read.
func (c *Chunks) Took(n int) {
	if c.left -= int64(n); c.left == 0 {
		c.at = chunkDataCR
	}
}

func unhex(c byte) int64 {
	if Digit(c) {
		return int64(c - '0')
	}
	return int64(c|0x20-'a') + 10
}
