package demosite

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	texttemplate "text/template"
	"time"
)

//go:embed web
var web embed.FS

var (
	pages  = template.Must(template.ParseFS(web, "web/*.html"))
	sheets = texttemplate.Must(texttemplate.ParseFS(web, "web/*.css", "web/*.js"))
)

// edition is the whole site at one number. It is immutable.
type edition struct {
	number    int
	changed   time.Time
	sky       *sky
	resources map[string]*resource // by path
	notFound  *resource
}

type resource struct {
	contentType, cacheControl, tags, etag string
	body                                  []byte
}

// Shared caches may keep content for a day; browsers ask each time, so that a change at the edge shows.
const (
	longAtTheEdge = "public, max-age=0, s-maxage=86400"
	aMinute       = "public, max-age=60"
	htmlType      = "text/html; charset=utf-8"
)

// print is one product.
type print struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Note  string `json:"note"`
	Price string `json:"price"`
	Image string `json:"image"`
	Left  int    `json:"left"`
}

var prints = []print{
	{Title: "The Long Fetch", Note: "Nine hours of wind, one wave", Price: "48"},
	{Title: "Two Fronts Meeting", Note: "They agreed on rain", Price: "62"},
	{Title: "Lee Waves", Note: "Air, remembering a mountain", Price: "54"},
	{Title: "Cumulus, Counted", Note: "Fifteen before lunch", Price: "70"},
	{Title: "Katabatic", Note: "Cold finds the valley", Price: "45"},
	{Title: "A Col, Unclaimed", Note: "Between four pressures, nothing", Price: "58"},
}

// catalogue is the products of an edition: prices and stock move with it.
func catalogue(n int) []print {
	list := make([]print, len(prints))
	for i, p := range prints {
		var base int
		fmt.Sscan(p.Price, &base)
		p.ID = i + 1
		p.Price = fmt.Sprintf("€ %d", base+(n*7+i*3)%12)
		p.Left = 3 + (n*5+i*7)%20
		p.Image = fmt.Sprintf("/images/print-%d.svg", p.ID)
		list[i] = p
	}
	return list
}

// page is what the templates see.
type page struct {
	Edition int
	Next    int
	Sky     *sky
	Origin  string // the site's own URL, for the button
	Date    string
	Prints  []print
}

// render makes all of edition n.
func render(n int, changed time.Time, url string) (*edition, error) {
	e := &edition{number: n, changed: changed.UTC().Truncate(time.Second), sky: skyOf(n), resources: map[string]*resource{}}
	data := &page{Edition: n, Next: n + 1, Sky: e.sky, Origin: url, Date: changed.Format("2 January 2006, 15:04"), Prints: catalogue(n)}

	for file, paths := range map[string][]string{"index.html": {"/", "/index.html"}, "about.html": {"/about", "/about.html"}} {
		body, err := execute(pages, file, data)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			e.add(p, htmlType, longAtTheEdge, "page", body)
		}
	}
	for file, at := range map[string][2]string{
		"site.css":  {"/css/site.css", "text/css; charset=utf-8"},
		"print.css": {"/css/print.css", "text/css; charset=utf-8"},
		"app.js":    {"/js/app.js", "text/javascript; charset=utf-8"},
	} {
		body, err := execute(sheets, file, data)
		if err != nil {
			return nil, err
		}
		e.add(at[0], at[1], longAtTheEdge, "style", body)
	}
	if err := e.addImages(data); err != nil {
		return nil, err
	}
	products, err := json.MarshalIndent(map[string]any{"edition": n, "products": data.Prints}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("demosite: %w", err)
	}
	e.add("/api/products", "application/json", aMinute, "products", append(products, '\n'))
	missing, err := execute(pages, "404.html", data)
	if err != nil {
		return nil, err
	}
	e.notFound = newResource(htmlType, "public, max-age=0, s-maxage=10", "", missing)
	return e, nil
}

func (e *edition) addImages(data *page) error {
	const svg = "image/svg+xml"
	e.add("/images/hero.svg", svg, longAtTheEdge, "image, hero", heroSVG(e.sky, e.number))
	e.add("/images/mark.svg", svg, longAtTheEdge, "image, mark", markSVG(e.sky))
	for _, p := range data.Prints {
		e.add(p.Image, svg, longAtTheEdge, fmt.Sprintf("image, print, print-%d", p.ID), printSVG(e.sky, p, e.number))
	}
	png, err := barometerPNG(e.sky, e.number)
	if err != nil {
		return fmt.Errorf("demosite: %w", err)
	}
	e.add("/images/barometer.png", "image/png", longAtTheEdge, "image, barometer", png)
	return nil
}

func (e *edition) add(path, contentType, cacheControl, tags string, body []byte) {
	e.resources[path] = newResource(contentType, cacheControl, fmt.Sprintf("%s, edition-%d", tags, e.number), body)
}

func newResource(contentType, cacheControl, tags string, body []byte) *resource {
	sum := sha256.Sum256(body)
	return &resource{contentType, cacheControl, tags, `"` + hex.EncodeToString(sum[:8]) + `"`, body}
}

// templates is what html/template and text/template have in common.
type templates interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

func execute(t templates, file string, data *page) ([]byte, error) {
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, file, data); err != nil {
		return nil, fmt.Errorf("demosite: %s: %w", file, err)
	}
	return out.Bytes(), nil
}
