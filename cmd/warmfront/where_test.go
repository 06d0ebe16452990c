package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/ownapi/client"
)

func TestInvalidate_Where(t *testing.T) {
	s := &server{receipts: []string{done}}
	before := time.Now().Add(-2 * time.Hour)
	code, _, said := invalidateAt(t, context.Background(), s, "", "/a", "--status", "404,5xx", "--content-type", "image/*", "--content-type", "text/css",
		"--host", "www.example.com", "--stored-before", "2h")
	w := s.wish.Where
	if code != exitDone || w == nil || w.StoredBefore == nil || w.StoredBefore.Before(before) {
		t.Fatalf("%d %s sent %+v", code, said, s.wish)
	}
	if got := fmt.Sprint(w.Status, w.ContentType, w.Host); got != "[404 5xx] [image/* text/css] [www.example.com]" {
		t.Errorf("sent %s", got)
	}
	at := time.Date(2026, 11, 25, 18, 0, 0, 0, time.Local)
	for want, w := range map[string]*client.Where{
		"": nil, "only status 404 or 5xx": {Status: []string{"404", "5xx"}},
		"only type image/*, host a.example, stored before 2026-11-25 18:00:00": {ContentType: []string{"image/*"}, Host: []string{"a.example"}, StoredBefore: &at},
	} {
		if got := whereText(w); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, args := range []string{"--status=", "--stored-before=", "--stored-before yesterday", "--host="} {
		if code, _, said := invalidateAt(t, context.Background(), s, "", append([]string{"/a"}, strings.Fields(args)...)...); code != exitUsage || said == "" {
			t.Errorf("%s: %d %s", args, code, said)
		}
	}
}
