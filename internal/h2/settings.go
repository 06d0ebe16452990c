package h2

import "encoding/binary"

// Setting is a parameter of SETTINGS.
type Setting uint16

// The settings of RFC 9113 section 6.5.2 and RFC 9218 section 2.1. Others are ignored.
const (
	HeaderTableSize      Setting = 0x1
	EnablePush           Setting = 0x2
	MaxConcurrentStreams Setting = 0x3
	InitialWindowSize    Setting = 0x4
	MaxFrameSize         Setting = 0x5
	MaxHeaderListSize    Setting = 0x6
	NoRFC7540Priorities  Setting = 0x9
)

// Value is one setting with its value.
type Value struct {
	Setting Setting
	Value   uint32
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(dst []byte, values ...Value) []byte {
	dst = Header{Length: 6 * len(values), Type: Settings}.Append(dst)
	for _, v := range values {
		dst = binary.BigEndian.AppendUint16(dst, uint16(v.Setting))
		dst = binary.BigEndian.AppendUint32(dst, v.Value)
	}
	return dst
}

// NextSetting takes the first setting off the payload of SETTINGS, which is not empty. The fault is the
// value's: what is out of range is refused, whether it is used here or not.
func NextSetting(p []byte) (v Value, rest []byte, f *Fault) {
	v = Value{Setting(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])}
	switch v.Setting {
	case EnablePush, NoRFC7540Priorities:
		if v.Value > 1 {
			f = BadSetting
		}
	case InitialWindowSize:
		if v.Value > MaxWindow {
			f = FlowControl
		}
	case MaxFrameSize:
		if v.Value < 1<<14 || v.Value > 1<<24-1 {
			f = BadSetting
		}
	}
	return v, p[6:], f
}
