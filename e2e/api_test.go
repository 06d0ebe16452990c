package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// api METHOD PATH [file] ['Name: value'...] -> STATUS [part...]
//
// It sends a request to the API as it stands, correctly signed: for what no SDK would send. $ID and
// $ETAG in PATH and values are those of the current distribution.
func apiVerb(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	call, want := split(ts, args)
	status, body, err := w.call(ts, call)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(status) != want[0] {
		err = fmt.Errorf("status %d, not %s: %s", status, want[0], body)
	}
	for _, part := range want[1:] {
		if !strings.Contains(body, part) {
			err = fmt.Errorf("no %q in: %s", part, body)
		}
	}
	check(ts, neg, err)
}

func (w *world) call(ts *testscript.TestScript, args []string) (int, string, error) {
	var body []byte
	replace := strings.NewReplacer()
	if d, err := w.distribution(""); err == nil {
		replace = strings.NewReplacer("$ID", d.id, "$ETAG", d.etag)
	}
	headers := args[2:]
	if len(headers) > 0 && !strings.Contains(headers[0], ": ") {
		body = []byte(replace.Replace(ts.ReadFile(headers[0])))
		headers = headers[1:]
	}
	req, err := http.NewRequest(args[0], w.proc.ready.API+replace.Replace(args[1]), bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(replace.Replace(h), ": ")
		req.Header.Set(k, v)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	key := aws.Credentials{AccessKeyID: w.proc.ready.AccessKeyID, SecretAccessKey: w.proc.ready.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), key, req, hash, "cloudfront", "us-east-1", time.Now()); err != nil {
		return 0, "", err
	}
	resp, err := w.web.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(out), err
}
