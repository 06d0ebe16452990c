package guarantee

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// An answer with an error's page shows two objects, and must be as young as is demanded of each. Of the error no more is known than its status.
func TestJudge_Explained(t *testing.T) {
	const after = 100 // of all that is demanded
	for name, c := range map[string]struct {
		failing, page uint64 // what is demanded
		narrow        *Where
		of            []string
		status        int
		shown         uint64
		octets        uint64
		ofError       Class
		ofPage        Class
	}{
		"as demanded":                           {failing: 5, page: 3, status: 404, shown: 3, octets: 3},
		"the error is old":                      {failing: 6, page: 3, status: 404, shown: 3, octets: 3, ofError: Old},
		"the page is old":                       {failing: 5, page: 4, status: 404, shown: 3, octets: 3, ofPage: Old},
		"both":                                  {failing: 6, page: 4, status: 404, shown: 3, octets: 3, ofError: Old, ofPage: Old},
		"the page is mixed":                     {failing: 5, page: 3, status: 404, shown: 3, octets: 4, ofPage: Mixed},
		"without a page":                        {failing: 6, page: 4, status: 404},
		"if it was an error":                    {failing: 6, narrow: &Where{Status: "4xx"}, status: 404, shown: 1, octets: 1, ofError: Old},
		"if it was another error":               {failing: 6, narrow: &Where{Status: "410"}, status: 404, shown: 1, octets: 1},
		"if it was of a type that is not known": {failing: 6, narrow: &Where{Type: "*"}, status: 404, shown: 1, octets: 1},
		"if it had a tag that is not known":     {failing: 6, of: []string{"any"}, status: 404, shown: 1, octets: 1},
	} {
		s := newStory()
		r := &run{history: &s.history, own: true}
		o := s.objects[Failing]
		o.version.Store(8)
		if c.narrow != nil || c.of != nil {
			if c.of != nil {
				c.of = []string{o.edition(5)}
			}
			o.log.narrowed(floor{version: c.failing, by: &Invalidation{Where: c.narrow}, of: c.of}, func() Instant { return 50 })
		} else {
			s.invalidated(o, c.failing, 10, 50)
		}
		s.invalidated(r.page(), c.page, 10, 50)
		a := &Answer{Method: "GET", Status: c.status, Sent: after, Begun: after, Version: c.shown}
		if !r.explains(o, a.Status) || r.explains(s.objects[0], a.Status) || r.explains(o, http.StatusGone) {
			t.Fatal("it is not known what has the page")
		}
		h := http.Header{}
		if c.shown > 0 {
			h.Set(versionField, strconv.FormatUint(c.shown, 10))
		}
		a.explain(&question{object: o, method: "GET"}, r.page(), &http.Response{StatusCode: a.Status, Header: h}, r.page().body(c.octets))
		class := func(v *Violation) Class {
			if v == nil {
				return None
			}
			return v.Class
		}
		ofError, ofPage := class(o.judge(a)), None
		if a.page != nil {
			ofPage = class(r.page().judge(a.page))
		}
		if ofError != c.ofError || ofPage != c.ofPage {
			t.Errorf("%s: %v and %v, should be %v and %v", name, ofError, ofPage, c.ofError, c.ofPage)
		}
	}
}

// A version that there has never been cannot have failed.
func TestExplain_WhatHasNeverFailed(t *testing.T) {
	s := newStory()
	o, page := s.objects[Failing], s.page()
	o.version.Store(0)
	a := &Answer{Method: "GET", Status: http.StatusNotFound, Version: 1}
	a.explain(&question{object: o, method: "GET"}, page, &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}}, page.body(1))
	if v := o.judge(a); v == nil || v.Class != Mixed {
		t.Errorf("%v", v)
	}
}

// The origin keeps the page back from when an edge must be cut off until its lease is over, and not when an invalidation takes no longer than usual.
func TestKeepPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory()
		kept := func() bool { synctest.Wait(); return s.page().race.on() }
		usual := s.keepPage()
		time.Sleep(silentFor - 1)
		usual.Stop()
		time.Sleep(time.Nanosecond)
		if kept() {
			t.Error("it is kept back, and nothing took long")
		}
		s.keepPage()
		time.Sleep(silentFor)
		if !kept() {
			t.Error("it is not kept back")
		}
		time.Sleep(keptFor)
		if kept() {
			t.Error("it is still kept back")
		}
	})
}
