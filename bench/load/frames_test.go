package load

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// ok is a header block that begins with :status 200.
var ok = []byte{0x88, 0x5f, 0x01, 'x'}

func frames(t *testing.T, write func(f *http2.Framer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(http2.NewFramer(&b, nil)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func feed(f *Frames, all []byte, step int) error {
	for len(all) > 0 {
		n := min(step, len(all))
		if err := f.Feed(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func TestFrames_CountsAnswersHoweverTheyAreCut(t *testing.T) {
	all := frames(t, func(f *http2.Framer) error {
		f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 128})
		f.WriteSettingsAck()
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: ok, EndHeaders: true})
		f.WriteData(1, false, []byte("hello"))
		f.WritePing(false, [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
		f.WriteData(1, true, nil)
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: ok, EndHeaders: true, EndStream: true})
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: append([]byte{0x3f, 0xe1, 0x1f}, ok...), EndHeaders: true, PadLength: 3})
		f.WriteWindowUpdate(0, 100)
		return f.WriteData(5, true, []byte("world"))
	})
	want := frames(t, func(f *http2.Framer) error {
		f.WriteSettingsAck()
		return f.WritePing(true, [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	})
	for step := 1; step <= len(all); step++ {
		var f Frames
		if err := feed(&f, all, step); err != nil {
			t.Fatalf("%d at once: %v", step, err)
		}
		if f.Answers != 3 || f.Data != 10 || !bytes.Equal(f.Reply, want) {
			t.Fatalf("%d at once: %d answers, %d octets, reply %x", step, f.Answers, f.Data, f.Reply)
		}
	}
}

func TestFrames_Refuses(t *testing.T) {
	for name, all := range map[string][]byte{
		"another status": frames(t, func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x8d}, EndHeaders: true})
		}),
		"a reset":      frames(t, func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeInternal) }),
		"a going away": frames(t, func(f *http2.Framer) error { return f.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, nil) }),
	} {
		for _, step := range []int{1, len(all)} {
			if feed(&Frames{}, all, step) == nil {
				t.Errorf("%s, %d at once: accepted", name, step)
			}
		}
	}
}

func TestFrames_GivesCreditBack(t *testing.T) {
	chunk := frames(t, func(f *http2.Framer) error { return f.WriteData(1, false, make([]byte, 1<<14)) })
	var f Frames
	for range window/2/(1<<14) + 1 {
		if err := f.Feed(chunk); err != nil {
			t.Fatal(err)
		}
	}
	r := http2.NewFramer(nil, bytes.NewReader(f.Reply))
	got, err := r.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	if u, isUpdate := got.(*http2.WindowUpdateFrame); !isUpdate || u.StreamID != 0 || u.Increment != window/2+1<<14 {
		t.Errorf("got %v", got)
	}
}

// What is sent is read by another implementation: framing, HPACK, and that blocks fit the state that First left.
func TestHTTP2_SendsWhatNetReads(t *testing.T) {
	s := session{secure: &secure{}}
	s.out = hello()
	s.add(First("bench.localhost", "/o/1024"))
	for _, b := range Blocks("bench.localhost", []string{"/k/99999", "/o/1048576"}) {
		s.add(b)
	}
	rest, found := bytes.CutPrefix(s.out, []byte(http2.ClientPreface))
	if !found {
		t.Fatal("no preface")
	}
	f := http2.NewFramer(nil, bytes.NewReader(rest))
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var got []string
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			break
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			var b strings.Builder
			for _, h := range frame.Fields {
				b.WriteString(h.Name + "=" + h.Value + " ")
			}
			got = append(got, b.String())
			if !frame.StreamEnded() || frame.StreamID != uint32(2*len(got)-1) {
				t.Errorf("frame %v", frame.FrameHeader)
			}
		case *http2.SettingsFrame:
			if v, _ := frame.Value(http2.SettingInitialWindowSize); v != window {
				t.Errorf("window %d", v)
			}
			if v, set := frame.Value(http2.SettingEnablePush); !set || v != 0 {
				t.Error("push is not off")
			}
		}
	}
	for i, path := range []string{"/o/1024", "/k/99999", "/o/1048576"} {
		want := ":method=GET :scheme=https :authority=bench.localhost :path=" + path + " user-agent=bench accept=*/* "
		if i >= len(got) || got[i] != want {
			t.Errorf("request %d: %v, want %q", i, got, want)
		}
	}
}
