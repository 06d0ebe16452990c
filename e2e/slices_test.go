package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// film is a large file that nobody stores: each octet is a function of its place and of the version.
type film struct {
	size    int64
	version atomic.Int64
	sent    atomic.Int64 // octets of bodies
	asked   atomic.Int64
}

// eight is the eight octets at 8*n.
func eight(version, n int64) uint64 {
	return uint64(n)*0x9e3779b97f4a7c15 ^ uint64(version)*0xd6e8feb86659fd93
}

// fill writes the octets from off on.
func fill(p []byte, version, off int64) {
	var w [8]byte
	for len(p) > 0 {
		for i, x := 0, eight(version, off/8); i < 8; i, x = i+1, x>>8 {
			w[i] = byte(x)
		}
		n := copy(p, w[off%8:])
		p, off = p[n:], off+int64(n)
	}
}

// reel reads one version.
type reel struct {
	f            *film
	version, off int64
}

func (r *reel) Read(p []byte) (int, error) {
	if r.off >= r.f.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.f.size-r.off)]
	fill(p, r.version, r.off)
	r.off += int64(len(p))
	r.f.sent.Add(int64(len(p)))
	return len(p), nil
}

func (r *reel) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += r.off
	case io.SeekEnd:
		off += r.f.size
	}
	r.off = off
	return off, nil
}

func (f *film) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	v := f.version.Load()
	w.Header().Set("ETag", fmt.Sprintf(`"v%d"`, v))
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("Cache-Control", "max-age=3600")
	// Not a ReaderFrom: the octets are made, there is no file to send.
	http.ServeContent(struct{ http.ResponseWriter }{w}, r, "", time.Time{}, &reel{f: f, version: v})
}

// cinema is a process with one edge and a film behind it.
type cinema struct {
	*world
	film *film
	url  string
	web  *http.Client
}

func newCinema(t *testing.T, size int64, args ...string) *cinema {
	t.Helper()
	c := &cinema{world: newWorld(t.TempDir()), film: &film{size: size}, web: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	t.Cleanup(c.close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c.film}
	var g sync.WaitGroup
	g.Go(func() { server.Serve(l) })
	t.Cleanup(func() { server.Close(); g.Wait() })
	if err := c.start(append([]string{"--edges", "127.0.0.1:0", "--edges-https", "off", "--demo", "off"}, args...)); err != nil {
		t.Fatal(err)
	}
	c.origins["film"] = &origin{l: l}
	err = c.create("d", map[string]string{"origin": "film", "policy": "optimized"})
	delete(c.origins, "film")
	if err != nil {
		t.Fatal(err)
	}
	c.url = c.proc.ready.Edges[0].URL
	t.Cleanup(c.web.CloseIdleConnections)
	return c
}

func (c *cinema) get(t *testing.T, span string) *http.Response {
	t.Helper()
	d, err := c.distribution("d")
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("GET", c.url+"/film.mp4", nil)
	req.Host = d.domain
	if span != "" {
		req.Header.Set("Range", "bytes="+span)
	}
	resp, err := c.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// watch reads n octets of a body and compares them with what lies at off; n < 0: to its end.
func watch(body io.Reader, version, off, n int64) (int64, error) {
	got, want := make([]byte, 64<<10), make([]byte, 64<<10)
	read := int64(0)
	for n < 0 || read < n {
		p := got
		if n >= 0 {
			p = p[:min(int64(len(p)), n-read)]
		}
		k, err := body.Read(p)
		fill(want[:k], version, off+read)
		if string(p[:k]) != string(want[:k]) {
			return read, fmt.Errorf("other octets between %d and %d than version %d has", off+read, off+read+int64(k), version)
		}
		read += int64(k)
		if err == io.EOF && n < 0 {
			return read, nil
		}
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

// expects asks for a range and checks what comes: status, outcome, place and each octet.
func (c *cinema) expects(t *testing.T, outcome, span string, from, length int64) {
	t.Helper()
	resp := c.get(t, span)
	defer resp.Body.Close()
	place := fmt.Sprintf("bytes %d-%d/%d", from, from+length-1, c.film.size)
	if resp.StatusCode != 206 || resp.Header.Get("Content-Range") != place || !strings.HasPrefix(resp.Header.Get("X-Cache"), outcome) {
		t.Errorf("%s: %d, %s, %q; want %s", span, resp.StatusCode, resp.Header.Get("X-Cache"), resp.Header.Get("Content-Range"), place)
	}
	if n, err := watch(resp.Body, c.film.version.Load(), from, -1); err != nil || n != length {
		t.Errorf("%s: %d octets, %v", span, n, err)
	}
}

const (
	gib   = int64(1) << 30
	slice = int64(4) << 20
)

func TestSlices_OfThreeGigabytesWhatIsAskedFor(t *testing.T) {
	c := newCinema(t, 3*gib+12345, "--cache-size", "256MiB")
	size := c.film.size
	ranges := []struct {
		span         string
		from, length int64
	}{
		{"0-1", 0, 2},
		{"1000000-1000999", 1000000, 1000},
		{strconv.FormatInt(2*gib+5, 10) + "-" + strconv.FormatInt(2*gib+6*slice, 10), 2*gib + 5, 6*slice - 4},
		{"-7", size - 7, 7},
		{strconv.FormatInt(size-5000, 10) + "-", size - 5000, 5000},
	}
	for _, r := range ranges {
		c.expects(t, "", r.span, r.from, r.length)
	}
	for _, r := range ranges[1:] {
		c.expects(t, "Hit", r.span, r.from, r.length)
	}
	// The beginning, seven slices in the middle, and the end: as they are cut, and nothing besides.
	if sent, want := c.film.sent.Load(), 2+slice+7*slice+size%slice; sent != want {
		t.Errorf("the origin has sent %d octets, want %d", sent, want)
	}
	resp := c.get(t, fmt.Sprintf("10-19,%d-%d,-3", 2*gib+slice-1, 2*gib+slice))
	defer resp.Body.Close()
	_, params, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	parts := multipart.NewReader(resp.Body, params["boundary"])
	for _, r := range ranges3(size) {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatalf("%s: %v", resp.Header.Get("Content-Type"), err)
		}
		if n, err := watch(p, 0, r[0], -1); err != nil || n != r[1] {
			t.Errorf("part %s: %d octets, %v", p.Header.Get("Content-Range"), n, err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("behind the parts: %v", err)
	}
}

func ranges3(size int64) [][2]int64 {
	return [][2]int64{{10, 10}, {2*gib + slice - 1, 2}, {size - 3, 3}}
}

// A viewer that leaves costs the origin no more than what it has read, a slice, and what lies in sockets.
func TestSlices_AViewerLeavesAFilm(t *testing.T) {
	c := newCinema(t, 3*gib, "--cache-size", "256MiB")
	resp := c.get(t, "")
	if resp.StatusCode != 200 || resp.ContentLength != 3*gib {
		t.Fatalf("%s, %d octets", resp.Status, resp.ContentLength)
	}
	const seen = 50 << 20
	if _, err := watch(resp.Body, 0, 0, seen); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	c.expects(t, "Hit", "20000000-30000000", 20000000, 10000001)
	if n := c.film.asked.Load(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
	if err := c.until(patience, func() (bool, error) {
		before := c.film.sent.Load()
		c.expects(t, "Hit", "0-9", 0, 10)
		return before == c.film.sent.Load(), nil
	}); err != nil {
		t.Error("the origin goes on sending: ", err)
	}
	if sent := c.film.sent.Load(); sent > seen+4*slice+(24<<20) {
		t.Errorf("the origin has sent %d MiB for %d", sent>>20, seen>>20)
	}
}

// Many viewers from the beginning cost the origin one film.
func TestSlices_ManyViewersOfAFilm(t *testing.T) {
	const size = 96 << 20
	c := newCinema(t, size, "--cache-size", "256MiB")
	failed := make(chan error, 6)
	for i := range cap(failed) {
		go func() {
			failed <- func() error {
				resp := c.get(t, "")
				defer resp.Body.Close()
				n, err := watch(resp.Body, 0, 0, -1)
				if err == nil && n != size {
					err = fmt.Errorf("viewer %d has %d octets", i, n)
				}
				return err
			}()
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if sent := c.film.sent.Load(); sent > size+size/2 {
		t.Errorf("the origin has sent %d MiB of %d", sent>>20, size>>20)
	}
}

// Viewers that do not read hold two slices each at most, in a cache that is too small for them.
func TestSlices_SlowViewersOfAFilm(t *testing.T) {
	c := newCinema(t, 3*gib, "--cache-size", "32MiB")
	d, err := c.distribution("d")
	if err != nil {
		t.Fatal(err)
	}
	c.expects(t, "Miss", "5-5", 5, 1) // a map
	before := resident(t, c.proc.cmd.Process.Pid)
	const viewers = 24
	var held []*bufio.Reader
	for i := range int64(viewers) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /film.mp4 HTTP/1.1\r\nHost: %s\r\nRange: bytes=%d-\r\n\r\n", d.domain, i*100<<20)
		r := bufio.NewReader(conn)
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 206") {
			t.Fatalf("%q %v", line, err)
		}
		held = append(held, r)
	}
	// All of them have what they may have when nothing is sent any more.
	sent := int64(-1)
	if err := c.until(patience, func() (bool, error) {
		was := sent
		sent = c.film.sent.Load()
		c.expects(t, "", "5-5", 5, 1)
		return was == sent, nil
	}); err != nil {
		t.Fatal(err)
	}
	grown := resident(t, c.proc.cmd.Process.Pid) - before
	t.Logf("%d viewers that do not read: %.1f MiB more, the origin has sent %.1f MiB", viewers, mib(grown), mib(sent))
	if limit := int64(viewers)*2*slice*2 + 64<<20; grown > limit {
		t.Errorf("%.1f MiB for %d viewers, at most %.1f", mib(grown), viewers, mib(limit))
	}
	for i, r := range held {
		resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 206 Partial Content\r\n"), r)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch(resp.Body, 0, int64(i)*100<<20, 9<<20); err != nil {
			t.Errorf("viewer %d: %v", i, err)
		}
	}
}

// The film changes while it is watched: nobody sees the end of one version behind the beginning of another.
func TestSlices_AFilmThatChanges(t *testing.T) {
	c := newCinema(t, 256<<20, "--cache-size", "256MiB")
	c.expects(t, "Miss", "0-0", 0, 1) // a map
	old := c.get(t, "0-")
	defer old.Body.Close()
	if _, err := watch(old.Body, 0, 0, 1<<20); err != nil {
		t.Fatal(err)
	}
	c.film.version.Add(1)
	n, err := watch(old.Body, 0, 1<<20, -1)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the change come %d octets, %v", n, err)
	}
	c.expects(t, "Miss", "3-50331647", 3, 48<<20-3)

	c.film.version.Add(1)
	if err := c.invalidate("d", []string{"/film.mp4"}); err != nil {
		t.Fatal(err)
	}
	if err := c.completed(soonCompleted); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		from := rnd.Int64N(60 << 20)
		c.expects(t, "", fmt.Sprintf("%d-%d", from, from+3<<20-1), from, 3<<20)
	}
}
