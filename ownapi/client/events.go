package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
)

// Watch tells each of changes until the stream ends, by ctx, by the server or by a failure, which it
// returns. When the stream begins, each is called with Kind "missed": read now what you show.
func (c *Client) Watch(ctx context.Context, each func(Change)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.send(ctx, "GET", prefix+"/events", "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	each(Change{Kind: "missed"})
	err = readEvents(resp.Body, each)
	if err == nil {
		err = io.EOF
	}
	return c.unreachable(err)
}

const maxEvent = 64 << 10

// readEvents reads server-sent events of the one kind that Warmfront sends; others are skipped, as are
// comments.
func readEvents(r io.Reader, each func(Change)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	var event string
	var data []byte
	for lines.Scan() {
		line := lines.Bytes()
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0:
			if event == "change" {
				var x Change
				if err := json.Unmarshal(data, &x); err != nil {
					return errors.New("an event that cannot be read: " + err.Error())
				}
				each(x)
			}
			event, data = "", nil
		case string(name) == "event":
			event = string(value)
		case string(name) == "data":
			data = append(data, value...)
		}
	}
	return lines.Err()
}
