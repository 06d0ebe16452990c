package httpcache

import (
	"testing"

	"github.com/warmfront/warmfront/internal/message"
)

const (
	older  = "Sat, 01 Jan 2022 00:00:00 GMT"
	middle = "Sun, 02 Jan 2022 00:00:00 GMT"
	newer  = "Mon, 03 Jan 2022 00:00:00 GMT"
)

var (
	both = fields("ETag", `"a"`, "Last-Modified", middle, "Date", newer)
	weak = fields("ETag", `W/"a"`, "Last-Modified", middle, "Date", newer)
	bare = fields("Content-Type", "text/plain")
)

func TestConditional(t *testing.T) {
	tests := []struct {
		name string
		req  message.Fields
		obj  message.Fields
		want Outcome
	}{
		{"none", fields(), both, Proceed},

		{"INM equal", fields("If-None-Match", `"a"`), both, NotModified},
		{"INM compares weakly: request", fields("If-None-Match", `W/"a"`), both, NotModified},
		{"INM compares weakly: object", fields("If-None-Match", `"a"`), weak, NotModified},
		{"INM other", fields("If-None-Match", `"b"`), both, Proceed},
		{"INM has case", fields("If-None-Match", `"A"`), both, Proceed},
		{"INM list", fields("If-None-Match", `"x" , W/"y","a"`), both, NotModified},
		{"INM list of lines", fields("If-None-Match", `"x"`, "if-none-match", `"a"`), both, NotModified},
		{"INM tag with comma", fields("If-None-Match", `"x,"a","y"`), both, Proceed},
		{"INM star", fields("If-None-Match", " * "), both, NotModified},
		{"INM star without a tag", fields("If-None-Match", "*"), bare, NotModified},
		{"INM without a tag", fields("If-None-Match", `"a"`), bare, Proceed},
		{"INM empty", fields("If-None-Match", ""), bare, Proceed},
		{"INM unclosed", fields("If-None-Match", `"a`), both, Proceed},
		{"INM bare word, tag quoted", fields("If-None-Match", `a`), both, Proceed},
		{"INM bare word, tag bare", fields("If-None-Match", `x, a`), fields("ETag", "a"), NotModified},

		{"IMS older", fields("If-Modified-Since", older), both, Proceed},
		{"IMS equal", fields("If-Modified-Since", middle), both, NotModified},
		{"IMS newer", fields("If-Modified-Since", newer), both, NotModified},
		{"IMS twice is none", fields("If-Modified-Since", newer, "If-Modified-Since", newer), both, Proceed},
		{"IUS twice is none", fields("If-Unmodified-Since", older, "If-Unmodified-Since", older), both, Proceed},
		{"INM in two lines", fields("If-None-Match", `"b"`, "If-None-Match", `"c", W/"a"`), both, NotModified},
		{"IMS garbage", fields("If-Modified-Since", "yesterday"), both, Proceed},
		{"IMS without Last-Modified", fields("If-Modified-Since", newer), fields("Date", older), Proceed},
		{"INM decides, IMS is ignored", fields("If-Modified-Since", newer, "If-None-Match", `"b"`), both, Proceed},

		{"IM equal", fields("If-Match", `"a"`), both, Proceed},
		{"IM compares strongly: object", fields("If-Match", `W/"a"`), weak, PreconditionFailed},
		{"IM compares strongly: request", fields("If-Match", `W/"a"`), both, PreconditionFailed},
		{"IM other", fields("If-Match", `"b"`), both, PreconditionFailed},
		{"IM star", fields("If-Match", "*"), bare, Proceed},
		{"IM without a tag", fields("If-Match", `"a"`), bare, PreconditionFailed},
		{"IUS older", fields("If-Unmodified-Since", older), both, PreconditionFailed},
		{"IUS equal", fields("If-Unmodified-Since", middle), both, Proceed},
		{"IUS garbage", fields("If-Unmodified-Since", "x"), both, Proceed},
		{"IM decides, IUS is ignored", fields("If-Match", `"a"`, "If-Unmodified-Since", older), both, Proceed},
		{"IM true, then INM", fields("If-Match", `"a"`, "If-None-Match", `"a"`), both, NotModified},
		{"IM false before INM", fields("If-Match", `"b"`, "If-None-Match", `"a"`), both, PreconditionFailed},
		{"IUS false before IMS", fields("If-Unmodified-Since", older, "If-Modified-Since", newer), both, PreconditionFailed},
	}
	for _, tt := range tests {
		if got := Conditional(tt.req, 200, tt.obj); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, status := range []int{301, 404, 503} {
		if got := Conditional(fields("If-None-Match", `"a"`), status, both); got != Proceed {
			t.Errorf("%d: %v", status, got)
		}
	}
}

func TestIfRange(t *testing.T) {
	sameSecond := fields("Last-Modified", middle, "Date", middle)
	tests := []struct {
		name string
		v    string
		obj  message.Fields
		want bool
	}{
		{"tag", `"a"`, both, true},
		{"other tag", `"b"`, both, false},
		{"weak tag", `W/"a"`, weak, false},
		{"weak asked, strong had", `W/"a"`, both, false},
		{"tag of an object without", `"a"`, bare, false},
		{"date", middle, both, true},
		{"earlier date", older, both, false},
		{"later date is not the same", newer, both, false},
		{"date of the second it was made in is weak", middle, sameSecond, false},
		{"date, object without Date", middle, fields("Last-Modified", middle), false},
		{"garbage", "x", both, false},
		{"empty", "", both, false},
	}
	for _, tt := range tests {
		if got := IfRange(fields("If-Range", tt.v), tt.obj); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if IfRange(fields("If-Range", `"a"`, "If-Range", `"a"`), both) {
		t.Error("two of them are one")
	}
	if !IfRange(fields("Range", "bytes=0-1"), both) {
		t.Error("without If-Range the range applies")
	}
}

func TestValidators(t *testing.T) {
	v := Validators(both)
	if len(v) != 2 || v.Get("If-None-Match") != `"a"` || v.Get("If-Modified-Since") != middle {
		t.Errorf("got %v", v)
	}
	if v := Validators(bare); v != nil {
		t.Errorf("got %v of nothing", v)
	}
	if v := Validators(append(fields("Vary", "*"), both...)); v != nil {
		t.Errorf("got %v with Vary: *", v)
	}
}

// Whatever a viewer sends: an answer to it is one of three, and * always finds the object.
func FuzzConditional(f *testing.F) {
	f.Add(`"a", W/"b`, `"b"`)
	f.Fuzz(func(t *testing.T, list, tag string) {
		obj := fields("ETag", tag)
		got := Conditional(fields("If-None-Match", list, "If-None-Match", "*"), 200, obj)
		if got != NotModified {
			t.Fatalf("%q hid the star", list)
		}
		if Conditional(fields("If-Match", list), 200, obj) == Proceed && trim(list) != "*" &&
			Conditional(fields("If-None-Match", list), 200, obj) != NotModified {
			t.Fatalf("%q matches %q strongly but not weakly", list, tag)
		}
	})
}

func TestStrongValidators(t *testing.T) {
	for etag, strong := range map[string]bool{`"1"`: true, `W/"1"`: false, "": false} {
		obj := message.Fields{{Name: "Last-Modified", Value: "Tue, 01 Jan 1980 00:00:00 GMT"}}
		if etag != "" {
			obj.Add("ETag", etag)
		}
		got := StrongValidators(obj)
		if len(got) > 0 != strong || strong && (len(got) != 1 || got.Get("If-None-Match") != etag) {
			t.Errorf("%q: asked by %v", etag, got)
		}
		for fresh, same := range map[string]bool{etag: strong, `"2"`: false, `W/"1"`: false, "": false} {
			if Proves(obj, message.Fields{{Name: "ETag", Value: fresh}}) != same {
				t.Errorf("%q and %q: %v", etag, fresh, !same)
			}
		}
	}
	if got := StrongValidators(message.Fields{{Name: "ETag", Value: `"1"`}, {Name: "Vary", Value: "*"}}); got != nil {
		t.Errorf("with Vary: * asked by %v", got)
	}
}
