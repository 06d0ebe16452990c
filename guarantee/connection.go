package guarantee

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
)

// Who has answered on a connection has been there since the connection was opened, and remembers what it has done meanwhile. So what is promised only by who
// was not started anew is demanded only on connections that are older than what it is about: an edge that is started again without that anybody is refused,
// since a supervisor holds its socket, is not taken for one that has forgotten something.

// connection knows when it was opened.
type connection struct {
	net.Conn
	opened Instant
}

func (r *run) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &connection{c, r.now()}, nil
}

// opening has the answer note when the connection was opened that it comes by. Of HTTP/3 that is not known: then it might have been now.
func (a *Answer) opening(ctx context.Context) context.Context {
	a.Opened = a.Sent
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		c := info.Conn
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn()
		}
		if mine, ok := c.(*connection); ok {
			a.Opened = mine.opened
		}
	}})
}
