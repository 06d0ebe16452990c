package edge

import "testing"

func TestBasic_MissHitInvalidateMiss(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a.png", ok("v1", "Cache-Control: max-age=60"), ok("v2"))
		w.expect("200 Miss v1", "/a.png")
		w.wantWhy("Miss cold")
		w.expect("200 Hit v1", "/a.png")
		w.wantWhy("Hit fresh")
		w.invalidate("/a.png")
		w.expect("200 Miss v2", "/a.png")
		w.wantWhy("Miss cold")
	})
}
