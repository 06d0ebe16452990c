package h2

import "fmt"

// Code is an error code of RFC 9113 section 7.
type Code uint32

// The codes that Warmfront says.
const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
)

var codes = map[Code]string{
	NoError: "NO_ERROR", ProtocolError: "PROTOCOL_ERROR", InternalError: "INTERNAL_ERROR", FlowControlError: "FLOW_CONTROL_ERROR",
	0x4: "SETTINGS_TIMEOUT", StreamClosed: "STREAM_CLOSED", FrameSizeError: "FRAME_SIZE_ERROR", RefusedStream: "REFUSED_STREAM",
	Cancel: "CANCEL", CompressionError: "COMPRESSION_ERROR", 0xa: "CONNECT_ERROR", EnhanceYourCalm: "ENHANCE_YOUR_CALM",
	InadequateSecurity: "INADEQUATE_SECURITY", 0xd: "HTTP_1_1_REQUIRED",
}

// String returns the RFC's name.
func (c Code) String() string {
	if s, ok := codes[c]; ok {
		return s
	}
	return fmt.Sprintf("%#x", uint32(c))
}

// Fault is why a frame, or a connection, is given up. Faults are compared by their address.
type Fault struct {
	Code Code
	Why  string // told to the viewer in GOAWAY
}

// Error implements error.
func (f *Fault) Error() string { return f.Code.String() + ": " + f.Why }

// The faults.
var (
	Protocol    = &Fault{ProtocolError, "frame not allowed here"}
	FrameSize   = &Fault{FrameSizeError, "frame of the wrong size"}
	FlowControl = &Fault{FlowControlError, "window exceeded"}
	Closed      = &Fault{StreamClosed, "stream is closed"}
	Compression = &Fault{CompressionError, "header block cannot be decoded"}
	NoPreface   = &Fault{ProtocolError, "no connection preface"}
	BadSetting  = &Fault{ProtocolError, "setting out of range"}
	Calm        = &Fault{EnhanceYourCalm, "too many frames for nothing"}
	ManyResets  = &Fault{EnhanceYourCalm, "too many streams given up"}
	LargeBlock  = &Fault{EnhanceYourCalm, "header block too large"}
	TooSlow     = &Fault{EnhanceYourCalm, "too slow"}
	Done        = &Fault{NoError, ""}
	Internal    = &Fault{InternalError, ""}
)
