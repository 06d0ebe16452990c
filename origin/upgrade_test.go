package origin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/websocket"
)

const key = "dGhlIHNhbXBsZSBub25jZQ=="

// agreed is the right answer to the handshake of handshake.
var agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + websocket.Accept(key) + "\r\n"

func handshake() *Request {
	return &Request{Method: "GET", Path: "/chat", Host: "h", Scheme: "http", Fields: message.Fields{
		{Name: "Upgrade", Value: "h2c"}, {Name: "Connection", Value: "close"}, // which are not the origin's to know
		{Name: "Sec-WebSocket-Key", Value: key}, {Name: "Sec-WebSocket-Version", Value: "13"},
	}}
}

func TestUpgrade_OnlyAfterTheRightAnswer(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"agreed":                          {agreed + "Server: o\r\n\r\n", "agreed"},
		"after an interim answer":         {"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + agreed + "\r\n", "agreed"},
		"with an empty reason":            {strings.Replace(agreed, "Switching Protocols", "", 1) + "\r\n", "agreed"},
		"200":                             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok"},
		"200 that speaks of it":           {strings.Replace(agreed, "101 Switching Protocols", "200 OK", 1) + "Content-Length: 2\r\n\r\nok", "200 ok"},
		"426":                             {"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", "426 "},
		"403 until the end":               {"HTTP/1.1 403 Forbidden\r\n\r\nno", "403 no"},
		"chunked":                         {"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "400 no"},
		"the proof of another handshake":  {strings.Replace(agreed, websocket.Accept(key), websocket.Accept("AAAAAAAAAAAAAAAAAAAAAA=="), 1) + "\r\n", "Invalid"},
		"no proof":                        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Invalid"},
		"another protocol":                {strings.Replace(agreed, "websocket", "h2c", 1) + "\r\n", "Invalid"},
		"no Connection":                   {strings.Replace(agreed, "Connection: Upgrade\r\n", "", 1) + "\r\n", "Invalid"},
		"Connection: close":               {strings.Replace(agreed, "Connection: Upgrade", "Connection: Upgrade, close", 1) + "\r\n", "Invalid"},
		"HTTP/1.0":                        {strings.Replace(agreed, "HTTP/1.1", "HTTP/1.0", 1) + "\r\n", "Invalid"},
		"a subprotocol that nobody wants": {agreed + "Sec-WebSocket-Protocol: chat\r\n\r\n", "Invalid"},
		"an extension that nobody wants":  {agreed + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "Invalid"},
		"a length":                        {agreed + "Content-Length: 5\r\n\r\n", "Invalid"},
		"a coding":                        {agreed + "Transfer-Encoding: chunked\r\n\r\n", "Invalid"},
		"bare LF":                         {strings.ReplaceAll(agreed, "\r\n", "\n") + "\n", "Invalid"},
		"a folded line":                   {strings.Replace(agreed, "Connection: ", "Connection:\r\n ", 1) + "\r\n", "Invalid"},
		"a blank before the colon":        {strings.Replace(agreed, "Connection:", "Connection :", 1) + "\r\n", "Invalid"},
		"half of it":                      {agreed, "Closed"},
		"nothing":                         {"", "Closed"},
		"frames at once":                  {"\x81\x02hi", "Invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			o, asked := liar(t, func(nc net.Conn, _ int, _ string) { io.WriteString(nc, c.answer) })
			cl := client(t, Config{})
			tunnel, resp, err := cl.Upgrade(t.Context(), o, handshake())
			got := ""
			switch {
			case err != nil:
				got = kindOf(err)
			case tunnel != nil:
				got = "agreed"
				if tunnel.Fields.Has("Connection") || tunnel.Fields.Has("Upgrade") || tunnel.Fields.Get("Sec-WebSocket-Accept") != websocket.Accept(key) {
					t.Errorf("fields %v", tunnel.Fields)
				}
				tunnel.Close()
			default:
				body, err := io.ReadAll(resp.Body)
				if got = fmt.Sprintf("%d %s", resp.Status, body); err != nil {
					t.Error(err)
				}
				resp.Body.Close()
			}
			if got != c.want {
				t.Errorf("got %q, want %q: %v", got, c.want, err)
			}
			want := "GET /chat HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
			if all := asked(); len(all) != 1 || all[0] != want {
				t.Errorf("asked %q", all)
			}
			for _, p := range cl.pools {
				if len(p.idle) > 0 {
					t.Error("the connection is kept")
				}
			}
		})
	}
}

// What came with the head belongs to the tunnel, and each side may end its own.
func TestUpgrade_CarriesBothWays(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	heard := make(chan []byte, 1)
	o, _ := liar(t, func(c net.Conn, _ int, _ string) {
		io.WriteString(c, agreed+"\r\nfirst ")
		go c.Write(large)
		all, _ := io.ReadAll(c)
		heard <- all
		io.WriteString(c, " last")
	})
	o.ResponseCompletionTimeout = time.Minute
	carried, _, err := client(t, Config{}).Upgrade(t.Context(), o, handshake())
	if err != nil {
		t.Fatal(err)
	}
	defer carried.Close()
	got := make([]byte, len("first ")+len(large))
	if _, err := io.ReadFull(carried, got); err != nil || string(got[:6]) != "first " || !bytes.Equal(got[6:], large) {
		t.Errorf("%d octets, %v", len(got), err)
	}
	if due := carried.Stream.(*tunnel).x.due; !due.IsZero() {
		t.Errorf("it must be over at %v", due)
	}
	if _, err := carried.Write(large); err != nil {
		t.Fatal(err)
	}
	carried.CloseWrite()
	if all := <-heard; !bytes.Equal(all, large) {
		t.Errorf("the origin has heard %d octets", len(all))
	}
	if rest, err := io.ReadAll(carried); string(rest) != " last" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestUpgrade_EndsWithItsContext(t *testing.T) {
	hold := make(chan bool)
	defer close(hold)
	for name, answer := range map[string]string{"before": "", "in the tunnel": agreed + "\r\n"} {
		ctx, cancel := context.WithCancel(t.Context())
		o, _ := liar(t, func(c net.Conn, _ int, _ string) {
			if io.WriteString(c, answer); answer == "" {
				cancel()
			}
			<-hold
		})
		tunnel, _, err := client(t, Config{}).Upgrade(ctx, o, handshake())
		if err == nil {
			cancel()
			_, err = tunnel.Read(make([]byte, 1))
			tunnel.Close()
		}
		if kindOf(err) != "Canceled" {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
