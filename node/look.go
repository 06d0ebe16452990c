package node

import (
	"cmp"
	"context"
	"net"
	neturl "net/url"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// looker asks origins for the conditions of scheduled invalidations, by the same map of names as the edges.
type looker struct{ origins *origin.Client }

func newLooker(resolve map[string]string) (*looker, error) {
	c, err := origin.New(origin.Config{Resolve: resolve})
	return &looker{c}, err
}

// look is control.Look. It follows no redirect: only what the origin itself says counts.
func (l *looker) look(ctx context.Context, u *neturl.URL, field string) (status int, values []string, err error) {
	port, err := strconv.Atoi(cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]))
	if err != nil {
		return 0, nil, err
	}
	o := &distribution.Origin{
		DomainName: u.Hostname(), HTTPPort: port, HTTPSPort: port, Protocol: distribution.OriginMatchViewer,
		SSLProtocols: []string{"TLSv1.2"}, IPAddressType: "dualstack",
		ConnectionAttempts: 1, ConnectionTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, KeepaliveTimeout: 10 * time.Second,
	}
	host := u.Hostname()
	if u.Port() != "" {
		host = net.JoinHostPort(host, u.Port())
	}
	r, err := l.origins.Fetch(ctx, o, &origin.Request{
		Method: "HEAD", Path: cmp.Or(u.EscapedPath(), "/"), Query: u.RawQuery, HasQuery: u.RawQuery != "", Host: host, Scheme: u.Scheme,
		Fields: message.Fields{{Name: "User-Agent", Value: "Warmfront"}, {Name: "Accept", Value: "*/*"}},
	})
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	return r.Status, r.Fields.Values(field), nil
}
