package load

import (
	"fmt"
	"strings"
	"testing"
)

func answer(size int, fields string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, size, strings.Repeat("b", size))
}

// However the octets are cut, the count is the same.
func TestCounter_CountsAnswersHoweverTheyAreCut(t *testing.T) {
	for _, size := range []int{0, 1, 5, 1024} {
		var all string
		for i := range 7 {
			all += answer(size, fmt.Sprintf("Age: %d\r\n", 1<<(4*i)))
		}
		for step := 1; step <= len(all); step++ {
			c := Counter{Size: size}
			answers := 0
			for p := all; p != ""; {
				n := min(step, len(p))
				got, err := c.Feed([]byte(p[:n]))
				if err != nil {
					t.Fatalf("size %d, %d octets at once: %v", size, step, err)
				}
				answers += got
				p = p[n:]
			}
			if answers != 7 || c.Left() != 0 {
				t.Fatalf("size %d, %d octets at once: %d answers, %d octets left", size, step, answers, c.Left())
			}
		}
	}
}

func TestCounter_SkipsWhatTheKernelDiscards(t *testing.T) {
	c := Counter{Size: 1000}
	all := answer(1000, "")
	if n, err := c.Feed([]byte(all[:len(all)-900])); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if c.Left() != 900 {
		t.Fatalf("%d left", c.Left())
	}
	if c.Skip(899) != 0 || c.Skip(1) != 1 || c.Left() != 0 {
		t.Fatal("the end was not seen")
	}
	if n, err := c.Feed([]byte(answer(1000, ""))); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

func TestCounter_Refuses(t *testing.T) {
	for name, p := range map[string]string{
		"another status": "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nbbbbb",
		"another length": answer(6, ""),
		"no length":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbbbbb\r\n0\r\n\r\n",
		"no HTTP":        "\x15\x03\x01\x00\x02\x02\x46 something else\r\n\r\n",
		"octets between": answer(5, "") + "x" + answer(5, ""),
		"an endless head": "HTTP/1.1 200 OK\r\n" +
			strings.Repeat("a: b\r\n", maxHead),
	} {
		for _, step := range []int{1, 7, len(p)} {
			c := Counter{Size: 5}
			var err error
			for rest := p; rest != "" && err == nil; {
				n := min(step, len(rest))
				_, err = c.Feed([]byte(rest[:n]))
				rest = rest[n:]
			}
			if err == nil {
				t.Errorf("%s, %d at once: accepted", name, step)
			}
		}
	}
}
