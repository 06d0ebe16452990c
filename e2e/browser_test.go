package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// A real browser gets a page by each protocol that a distribution's HttpVersion allows: somebody else's client, by
// whose reading of the RFCs ours is judged.
func TestBrowser_SpeaksEveryProtocol(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("skipped: no chromium on this machine (apt-get install chromium)")
	}
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.start([]string{"--edges", "127.0.0.1:0", "--demo", "off", "--access-log"}); err != nil {
		t.Fatal(err)
	}
	o, err := newOrigin("o", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.origins["o"] = o
	o.answers["GET /page"] = answer{status: 200, headers: []string{"Content-Type: text/html", "Cache-Control: max-age=60"}, body: "<p>from the origin</p>", length: -1}
	for version, protocol := range map[string]string{"http1.1": "HTTP/1.1", "http2": "HTTP/2.0", "http2and3": "HTTP/3.0"} {
		if err := w.create(version, map[string]string{"origin": "o", "version": version}); err != nil {
			t.Fatal(err)
		}
		for _, result := range []string{"Miss", "Hit"} {
			dom, err := browse(t, browser, w, w.distributions[version].domain, protocol == "HTTP/3.0")
			if err != nil || !strings.Contains(dom, "<p>from the origin</p>") {
				t.Fatalf("%s: %v\n%s", version, err, dom)
			}
			if err := w.until(patience, func() (bool, error) { return w.visited(version, protocol, result), nil }); err != nil {
				t.Errorf("%s: no %s over %s in\n%s", version, result, protocol, w.proc.log)
			}
		}
	}
}

// visited tells whether the access log has the page of a distribution with a result over a protocol.
func (w *world) visited(name, protocol, result string) bool {
	for line := range strings.Lines(w.proc.log.String()) {
		if strings.Contains(line, w.distributions[name].domain+"\t/page\t200\t") && strings.Contains(line, "\t"+result+"\t") && strings.Contains(line, "\t"+protocol+"\t") {
			return true
		}
	}
	return false
}

// browse opens the page in a browser that knows nothing yet, and returns its document.
func browse(t *testing.T, browser string, w *world, domain string, quic bool) (string, error) {
	t.Helper()
	at := strings.TrimPrefix(w.proc.ready.Edges[0].HTTPS, "https://")
	_, port, _ := strings.Cut(at, ":")
	c, err := tls.Dial("tcp", at, &tls.Config{ServerName: domain, InsecureSkipVerify: true}) // to know which key to trust
	if err != nil {
		return "", err
	}
	c.Close()
	key := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	args := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir=" + t.TempDir(), "--host-resolver-rules=MAP " + domain + " 127.0.0.1",
		"--ignore-certificate-errors-spki-list=" + base64.StdEncoding.EncodeToString(key[:]), "--dump-dom",
	}
	if quic {
		args = append(args, "--enable-quic", "--origin-to-force-quic-on="+domain+":"+port)
	} else {
		args = append(args, "--disable-quic")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, append(args, fmt.Sprintf("https://%s:%s/page", domain, port))...).Output()
	return string(out), err
}
