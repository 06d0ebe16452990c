package load

import (
	"bytes"
	"fmt"
)

// maxHead bounds an answer's head.
const maxHead = 8192

var endOfHead = []byte("\r\n\r\n")

// Counter follows the answers of one HTTP/1.1 connection, all with bodies of Size octets, and knows
// where each ends. It looks at every status; the length that an answer declares is looked at in the
// first, the others must have it too or the next status will not be found where it belongs.
type Counter struct {
	Size int

	left  int  // octets of the present body that have not come
	known bool // the first head was looked at
	head  []byte
}

// Left is how many octets of the present body have not come.
func (c *Counter) Left() int { return c.left }

// Skip tells that n octets of the present body came, n ≤ Left, and returns the answers that ended: 0 or 1.
func (c *Counter) Skip(n int) int {
	c.left -= n
	if n > 0 && c.left == 0 {
		return 1
	}
	return 0
}

// Feed takes the next octets and returns how many answers they ended.
func (c *Counter) Feed(p []byte) (answers int, err error) {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(c.left, len(p))
			answers += c.Skip(n)
			p = p[n:]
			continue
		}
		rest, ended, err := c.feedHead(p)
		if err != nil {
			return answers, err
		}
		p = rest
		answers += ended
	}
	return answers, nil
}

// feedHead takes octets of a head. A head that came in pieces is kept until it is whole.
func (c *Counter) feedHead(p []byte) (rest []byte, ended int, err error) {
	var head []byte
	if len(c.head) == 0 {
		i := bytes.Index(p, endOfHead)
		if i < 0 {
			return nil, 0, c.keep(p)
		}
		head, rest = p[:i+4], p[i+4:]
	} else {
		had := len(c.head)
		if err := c.keep(p[:min(len(p), maxHead-had)]); err != nil {
			return nil, 0, err
		}
		i := bytes.Index(c.head[max(0, had-3):], endOfHead)
		if i < 0 {
			return p[len(c.head)-had:], 0, nil
		}
		end := max(0, had-3) + i + 4
		head, rest = c.head[:end], p[end-had:]
	}
	if err := c.check(head); err != nil {
		return nil, 0, err
	}
	c.head = c.head[:0]
	c.left = c.Size
	if c.left == 0 {
		ended = 1
	}
	return rest, ended, nil
}

func (c *Counter) keep(p []byte) error {
	if len(p) == 0 || len(c.head)+len(p) > maxHead {
		return fmt.Errorf("the head of an answer is longer than %d octets", maxHead)
	}
	c.head = append(c.head, p...)
	return nil
}

func (c *Counter) check(head []byte) error {
	if len(head) < 13 || string(head[:7]) != "HTTP/1." || string(head[9:12]) != "200" {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return fmt.Errorf("not a 200: %q", line)
	}
	if c.known {
		return nil
	}
	c.known = true
	want := fmt.Sprintf("\r\ncontent-length: %d\r\n", c.Size)
	if !bytes.Contains(bytes.ToLower(head), []byte(want)) {
		return fmt.Errorf("not an answer of %d octets: %q", c.Size, head)
	}
	return nil
}
