package h2

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/net/http2"
)

func TestCheck_SizesAndStreams(t *testing.T) {
	for _, c := range []struct {
		name string
		h    Header
		want *Fault
	}{
		{"data", Header{16384, Data, 0, 1}, nil},
		{"data too large", Header{16385, Data, 0, 1}, FrameSize},
		{"data of no stream", Header{1, Data, 0, 0}, Protocol},
		{"headers of no stream", Header{1, Headers, 0, 0}, Protocol},
		{"continuation of no stream", Header{1, Continuation, 0, 0}, Protocol},
		{"priority of no stream", Header{5, Priority, 0, 0}, Protocol},
		{"reset", Header{4, RSTStream, 0, 1}, nil},
		{"reset of no stream", Header{4, RSTStream, 0, 0}, Protocol},
		{"reset too short", Header{3, RSTStream, 0, 1}, FrameSize},
		{"settings", Header{12, Settings, 0, 0}, nil},
		{"settings of a stream", Header{0, Settings, 0, 1}, Protocol},
		{"settings of a half", Header{3, Settings, 0, 0}, FrameSize},
		{"acknowledged settings", Header{0, Settings, Ack, 0}, nil},
		{"acknowledgement with settings", Header{6, Settings, Ack, 0}, FrameSize},
		{"push", Header{4, PushPromise, 0, 1}, Protocol},
		{"ping", Header{8, Ping, 0, 0}, nil},
		{"ping of a stream", Header{8, Ping, 0, 1}, Protocol},
		{"ping too long", Header{9, Ping, 0, 0}, FrameSize},
		{"goaway of a stream", Header{8, GoAway, 0, 1}, Protocol},
		{"goaway too short", Header{7, GoAway, 0, 0}, FrameSize},
		{"window", Header{4, WindowUpdate, 0, 0}, nil},
		{"window too long", Header{5, WindowUpdate, 0, 1}, FrameSize},
		{"priority update of a stream", Header{4, PriorityUpdate, 0, 1}, Protocol},
		{"priority update too short", Header{3, PriorityUpdate, 0, 0}, FrameSize},
		{"unknown", Header{7, 0x99, 0xff, 0}, nil},
	} {
		if got := c.h.Check(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPadding_IsTakenOff(t *testing.T) {
	for _, c := range []struct {
		flags   Flags
		payload string
		want    string
		fault   *Fault
	}{
		{0, "abc", "abc", nil},
		{Padded, "\x02abc", "a", nil},
		{Padded, "\x03abc", "", nil},
		{Padded, "\x04abc", "", Protocol},
		{Padded, "", "", FrameSize},
		{HasPriority, "\x80\x00\x00\x05\x10abc", "abc", nil},
		{HasPriority, "\x00\x00", "", FrameSize},
		{HasPriority | Padded, "\x01\x00\x00\x00\x09\x10ab", "a", nil},
	} {
		got, itself, fault := Fragment(Header{len(c.payload), Headers, c.flags, 5}, []byte(c.payload))
		if string(got) != c.want || fault != c.fault || itself != (c.payload[:min(4, len(c.payload))] == "\x80\x00\x00\x05") {
			t.Errorf("%x %q: %q %v %v", c.flags, c.payload, got, itself, fault)
		}
	}
}

func TestHeaders_LargeBlockIsContinued(t *testing.T) {
	for _, size := range []int{0, 1, MaxSize, MaxSize + 1, 3*MaxSize + 7} {
		block := make([]byte, size)
		for i := range block {
			block[i] = byte(i * 7)
		}
		out, at := AppendHeaders([]byte("before"))
		out = EndHeadersAt(append(out, block...), at, 9, true)
		fr := http2.NewFramer(nil, bytes.NewReader(out[6:]))
		var got []byte
		for ended := false; !ended; {
			f, err := fr.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			switch f := f.(type) {
			case *http2.HeadersFrame:
				got, ended = append(got, f.HeaderBlockFragment()...), f.HeadersEnded()
				if !f.StreamEnded() || f.StreamID != 9 {
					t.Errorf("%v", f)
				}
			case *http2.ContinuationFrame:
				got, ended = append(got, f.HeaderBlockFragment()...), f.HeadersEnded()
			}
		}
		if !bytes.Equal(got, block) {
			t.Errorf("%d octets came back as %d", size, len(got))
		}
	}
}

func TestWindow_NeverBeyondItsBounds(t *testing.T) {
	w := Window(10)
	if n := w.Take(7); n != 7 || w != 3 {
		t.Error(n, w)
	}
	if !w.Grow(-20) || w.Take(5) != 0 || w != -17 {
		t.Error(w)
	}
	if w.Grow(MaxWindow+18) || !w.Grow(MaxWindow+17) || w != MaxWindow {
		t.Error(w)
	}
}

func TestCredit_IsGivenBackInQuarters(t *testing.T) {
	c := NewCredit(100)
	if !c.Take(100) || c.Give(24) != 0 || c.Take(1) {
		t.Errorf("%+v", c)
	}
	c = NewCredit(100)
	c.Take(60)
	if c.Give(20) != 0 || c.Give(10) != 30 || c.Left != 70 || !c.Take(70) || c.Take(1) {
		t.Errorf("%+v", c)
	}
}

func TestBudget_ComesBackWithTimeAndWork(t *testing.T) {
	b := Budget{Max: 3, PerSecond: 10}
	if !b.Spend(3, 0) || b.Spend(1, 50e6) {
		t.Errorf("%+v", b)
	}
	b.Earn(2)
	if !b.Spend(1, 60e6) || b.Spend(1, 90e6) || !b.Spend(1, 300e6) {
		t.Errorf("%+v", b)
	}
	b.Earn(1000)
	if b.Spend(4, 300e6) || !b.Spend(3, 10e9) {
		t.Errorf("more than there is at most: %+v", b)
	}
}

func TestSettings_OutOfRange(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want *Fault
	}{
		{Value{EnablePush, 1}, nil}, {Value{EnablePush, 2}, BadSetting}, {Value{InitialWindowSize, MaxWindow}, nil},
		{Value{InitialWindowSize, MaxWindow + 1}, FlowControl}, {Value{MaxFrameSize, 16384}, nil}, {Value{MaxFrameSize, 16383}, BadSetting},
		{Value{MaxFrameSize, 1<<24 - 1}, nil}, {Value{MaxFrameSize, 1 << 24}, BadSetting}, {Value{NoRFC7540Priorities, 2}, BadSetting},
		{Value{0x99, 1 << 31}, nil}, {Value{HeaderTableSize, 1 << 31}, nil},
	} {
		b := AppendSettings(nil, c.v, Value{1, 2})
		v, rest, f := NextSetting(b[HeaderLen:])
		if v != c.v || len(rest) != 6 || f != c.want {
			t.Errorf("%v: %v %v", c.v, v, f)
		}
	}
}

func TestPriority_Fields(t *testing.T) {
	for value, want := range map[string]Rank{
		"": {Urgency: 3}, "u=0": {Urgency: 0}, "u=7, i": {Urgency: 7, Incremental: true}, "i,u=5": {Urgency: 5, Incremental: true},
		"u=8": {Urgency: 3}, "u=-1": {Urgency: 3}, "u=1;x=2, i=?0": {Urgency: 1}, "i=?1": {Urgency: 3, Incremental: true}, "u=2, garbage, \x00": {Urgency: 2}, "U=1": {Urgency: 3},
	} {
		if got := ParsePriority(value); got != want {
			t.Errorf("%q: %+v, want %+v", value, got, want)
		}
	}
}

// RFC 9218 section 10: urgency first; one after the other; incremental ones in turns.
func TestOrder_TurnsOfIncremental(t *testing.T) {
	ranks := map[string]*Rank{"a": {Urgency: 3}, "b": {Urgency: 3, Incremental: true}, "c": {Urgency: 3, Incremental: true}, "d": {Urgency: 1}, "e": {Urgency: 3}}
	left := map[string]int{"a": 2, "b": 2, "c": 2, "d": 1, "e": 2}
	var turns Turns
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		turns.Queue(ranks[name])
	}
	order := ""
	for len(left) > 0 {
		first := ""
		for name := range left {
			if first == "" || ranks[name].Before(ranks[first]) {
				first = name
			}
		}
		order += first
		turns.Sent(ranks[first])
		if left[first]--; left[first] == 0 {
			delete(left, first)
		}
	}
	if order != "daabceebc" {
		t.Errorf("order %s", order)
	}
}

// Whatever x/net's framer reads, this one reads the same; nothing panics.
func FuzzFrames_LikeNetOrStricter(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 1, 0, 0, 0, 1, 'x'})
	f.Add(AppendSettings(nil, Value{InitialWindowSize, 1}, Value{MaxFrameSize, 1 << 20}))
	f.Add(AppendGoAway(AppendPing(AppendWindowUpdate(AppendReset(nil, 3, Cancel), 0, 9), Ack, []byte("12345678")), 7, NoError, "why"))
	f.Add(append(Header{9, Headers, HasPriority | Padded | EndHeaders, 1}.Append(nil), 1, 0, 0, 0, 3, 1, 0x82, 0x84, 0))
	f.Add([]byte("\x00\x00\x07\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00u=1")) // of no stream
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := Parse(b)
		if !ok || h.Check() != nil || len(b) < HeaderLen+h.Length {
			return
		}
		p := b[HeaderLen : HeaderLen+h.Length : HeaderLen+h.Length]
		fr := http2.NewFramer(nil, bytes.NewReader(b))
		fr.AllowIllegalReads = true
		theirs, err := fr.ReadFrame()
		var payload []byte
		var fault *Fault
		switch h.Type {
		case Data:
			payload, fault = Unpad(h, p)
		case Headers:
			payload, _, fault = Fragment(h, p)
		case Settings:
			for rest := p; len(rest) > 0 && fault == nil; {
				_, rest, fault = NextSetting(rest)
			}
		}
		var se http2.StreamError
		late := h.Type == Priority && h.Length != 5 || (h.Type == WindowUpdate || h.Type == PriorityUpdate) && Uint32(p)&MaxWindow == 0
		if fault != nil || late || errors.As(err, &se) {
			return // a fault of the stream is found later here
		}
		if err != nil {
			t.Fatalf("%x: accepted here, by x/net: %v", b, err)
		}
		if g := theirs.Header(); int(g.Length) != h.Length || uint8(g.Type) != uint8(h.Type) || g.StreamID != h.Stream {
			t.Errorf("%x: %+v, by x/net %v", b, h, g)
		}
		switch f := theirs.(type) {
		case *http2.DataFrame:
			if !bytes.Equal(f.Data(), payload) {
				t.Errorf("%x: %x, by x/net %x", b, payload, f.Data())
			}
		case *http2.HeadersFrame:
			if !bytes.Equal(f.HeaderBlockFragment(), payload) {
				t.Errorf("%x: %x, by x/net %x", b, payload, f.HeaderBlockFragment())
			}
		}
	})
}
