package e2e

import (
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unpack decodes the body by its Content-Encoding.
func (r *response) unpack() error {
	var d io.Reader
	var err error
	packed := strings.NewReader(r.body)
	switch coding := r.header.Get("Content-Encoding"); coding {
	case "gzip":
		d, err = gzip.NewReader(packed)
	case "br":
		d = brotli.NewReader(packed)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(packed, zstd.WithDecoderConcurrency(1)); err == nil {
			defer z.Close()
		}
		d = z
	default:
		return fmt.Errorf("content coding %q is none that packs", coding)
	}
	if err != nil {
		return err
	}
	body, err := io.ReadAll(d)
	if err != nil {
		return err
	}
	if len(body) < 2*len(r.body) {
		return fmt.Errorf("%d octets are only %d decoded", len(r.body), len(body))
	}
	r.body = string(body)
	return nil
}
