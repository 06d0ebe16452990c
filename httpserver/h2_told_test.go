package httpserver

import (
	"testing"

	"golang.org/x/net/http2"
)

// Who has answered inline is told how its body has ended when it has, and how much of it the viewer got.
func TestH2_InlineBodiesAreTold(t *testing.T) {
	window := int64(65535) // a viewer's, unless it says otherwise: one octet less than the large body
	for name, c := range map[string]struct {
		path string
		then func(v *h2client)
		want done
	}{
		"with the batch": {"/hit", func(*h2client) {}, done{octets: 4}},
		"to its end": {"/large", func(v *h2client) {
			v.fr.WriteWindowUpdate(0, 100)
			v.fr.WriteWindowUpdate(1, 100)
		}, done{octets: window + 1}},
		"reset by the viewer":  {"/large", func(v *h2client) { v.fr.WriteRSTStream(1, http2.ErrCodeCancel) }, done{octets: window, cut: true}},
		"with the connection":  {"/large", func(v *h2client) { v.c.Close() }, done{octets: window, cut: true}},
		"with a broken one":    {"/large", func(v *h2client) { v.fr.WriteWindowUpdate(0, 0) }, done{octets: window, cut: true}},
		"after another answer": {"/large", func(v *h2client) { v.fr.WriteWindowUpdate(0, 100); v.get(3, "/no"); v.answer(3); v.c.Close() }, done{octets: window, cut: true}},
	} {
		t.Run(name, func(t *testing.T) {
			hits := &h2hits{}
			hits.done = make(chan done, 8)
			addr, _ := start(t, &Server{H2C: true, Answerer: hits, Handler: handlerFunc(likeHits)})
			v := viewer2(t, addr)
			v.get(1, c.path)
			v.until("the body", func() bool { return int64(len(v.bodies[1])) >= min(c.want.octets, window) })
			if c.want.cut && len(hits.done) > 0 {
				t.Errorf("told before it has ended: %+v", <-hits.done)
			}
			c.then(v)
			if got := <-hits.done; got.octets != c.want.octets || got.cut != c.want.cut {
				t.Errorf("told %+v, want %+v", got, c.want)
			}
		})
	}
}
