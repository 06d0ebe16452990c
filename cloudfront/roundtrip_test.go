package cloudfront

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
)

func testFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// must sends a request of the administrator that has to succeed, and reads the answer into v.
func must(t *testing.T, d *door, method, target, body, root string, v any) (etag string) {
	t.Helper()
	method, ifMatch, _ := strings.Cut(method, " ")
	r := request(method, target, body)
	if ifMatch != "" {
		r.Header.Set("If-Match", ifMatch)
	}
	sign(r, testKeys["administrator"], body)
	w := d.answer(r)
	if w.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
	if err := wire.Unmarshal(w.Body.Bytes(), root, v); err != nil {
		t.Fatalf("%s %s: our own answer cannot be read: %v\n%s", method, target, err, w.Body)
	}
	if etag := spelled(w.Header(), "ETag"); len(etag) == 1 {
		return etag[0]
	}
	return ""
}

// What Get gives back is accepted by Update unchanged and reads the same afterwards: tools that plan
// changes compare the two.
func TestDistribution_WhatIsReadCanBeWritten(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		for file, root := range map[string]string{"legacy.xml": "DistributionConfig", "modern.xml": "DistributionConfigWithTags"} {
			target := "/2020-05-31/distribution"
			if root == "DistributionConfigWithTags" {
				target += "?WithTags"
			}
			created := new(wire.Distribution)
			must(t, d, "POST", target, testFile(t, file), "Distribution", created)
			config := "/2020-05-31/distribution/" + *created.Id + "/config"
			first, second := new(wire.DistributionConfig), new(wire.DistributionConfig)
			etag := must(t, d, "GET", config, "", "DistributionConfig", first)
			doc, err := wire.Marshal("DistributionConfig", first)
			if err != nil {
				t.Fatal(err)
			}
			must(t, d, "PUT "+etag, config, string(doc), "Distribution", new(wire.Distribution))
			must(t, d, "GET", config, "", "DistributionConfig", second)
			again, err := wire.Marshal("DistributionConfig", second)
			if err != nil || string(again) != string(doc) {
				t.Errorf("%s: %v\nwas %s\nis  %s", file, err, doc, again)
			}
		}
	})
}

// Tools walk the list to find a distribution by its content: each summary has all that the model requires.
func TestListDistributions_SummariesAreComplete(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		must(t, d, "POST", "/2020-05-31/distribution", testFile(t, "legacy.xml"), "Distribution", new(wire.Distribution))
		must(t, d, "POST", "/2020-05-31/distribution?WithTags", testFile(t, "modern.xml"), "Distribution", new(wire.Distribution))
		list := new(wire.DistributionList)
		must(t, d, "GET", "/2020-05-31/distribution", "", "DistributionList", list)
		if len(list.Items) != 2 {
			t.Fatalf("%d distributions", len(list.Items))
		}
		if err := wire.CheckRequired(list); err != nil {
			t.Error(err)
		}
		if err := wire.CheckQuantities(list); err != nil {
			t.Error(err)
		}
	})
}

// Every page but the last says IsTruncated and where to go on; together they are the list.
func TestList_PagesMakeTheWhole(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		created := new(wire.Distribution)
		for i := range 5 {
			body := strings.Replace(testFile(t, "legacy.xml"), "site-1", fmt.Sprint("site-", i), 1)
			must(t, d, "POST", "/2020-05-31/distribution", body, "Distribution", created)
		}
		whole, paged := new(wire.DistributionList), []string{}
		must(t, d, "GET", "/2020-05-31/distribution", "", "DistributionList", whole)
		next, pages := "", 0
		for {
			page := new(wire.DistributionList)
			must(t, d, "GET", "/2020-05-31/distribution?MaxItems=2&Marker="+next, "", "DistributionList", page)
			for _, s := range page.Items {
				paged = append(paged, *s.Id)
			}
			if pages++; *page.Marker != next || *page.IsTruncated != (page.NextMarker != nil) || *page.MaxItems != 2 || *page.Quantity != int64(len(page.Items)) {
				t.Fatalf("page %d: %+v", pages, page)
			}
			if next = wire.Val(page.NextMarker); next == "" {
				break
			}
		}
		var all []string
		for _, s := range whole.Items {
			all = append(all, *s.Id)
		}
		if pages != 3 || len(all) != 5 || !slices.Equal(all, paged) || *whole.IsTruncated {
			t.Errorf("%d pages: %v, whole: %v", pages, paged, all)
		}
		// Policies have no IsTruncated: NextMarker alone says that there is more.
		n, marker := 0, ""
		for pages = 0; pages == 0 || marker != ""; pages++ {
			page := new(wire.CachePolicyList)
			must(t, d, "GET", "/2020-05-31/cache-policy?Type=managed&MaxItems=3&Marker="+marker, "", "CachePolicyList", page)
			n, marker = n+len(page.Items), wire.Val(page.NextMarker)
			if err := wire.CheckRequired(page); err != nil {
				t.Error(err)
			}
		}
		if managed := len(distribution.ManagedCachePolicies()); n != managed || pages != (n+2)/3 {
			t.Errorf("%d of %d managed policies on %d pages", n, managed, pages)
		}
	})
}
