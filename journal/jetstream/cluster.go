package jetstream

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster makes a log one replica of three or five, on as many nodes. An entry is confirmed when most of them have it on
// disk, and the log goes on while most of them are there. The replica is kept in the directory "replica" of Config.Dir.
//
// A cluster is grown from one node: the one that has a log of its own, made without a Cluster, carries it over; entries, epoch
// and ids stay, so whoever follows goes on. The others wait for it. No cluster ever begins a log: it could be one whose
// nodes have lost their disks, or have not met the one with the log yet.
//
// All members are required but Fresh and Waiting.
type Cluster struct {
	Node    string      // this node's name, one of Peers'; it stays the same for ever
	Peers   []Peering   // all nodes, this one too
	Address string      // where this node listens for the others, host:port
	TLS     *tls.Config // what is shown to the others, and expected of them

	// Admit tells whether that is another control node. The certificate is verified.
	Admit func(c *tls.ConnectionState) bool

	// Fresh lets a node begin without a replica: it is new, or takes the place of one that was lost. Without it an
	// empty directory is an error: an engine that has forgotten what it had confirmed must not vote unnoticed.
	Fresh bool

	// Waiting is told for what Open waits, in words, whenever that changes.
	Waiting func(why string)
}

// Peering is one node of a cluster.
type Peering struct {
	Node    string
	Address string // where the others find it, host:port
}

func (p Peering) String() string { return p.Node + "=" + p.Address }

// replicas is how many copies of the log there are.
func (c Config) replicas() int {
	if c.Cluster == nil {
		return 1
	}
	return len(c.Cluster.Peers)
}

// Check says what is wrong with Node and Peers.
func (c *Cluster) Check() error {
	if n := len(c.Peers); n != 3 && n != 5 {
		return fmt.Errorf("%w: a cluster has three or five nodes, not %d", ErrConfig, n)
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for _, p := range c.Peers {
		if p.Node == "" || strings.ContainsAny(p.Node, " \t\r\n") {
			return fmt.Errorf("%w: %q is no name for a node of a cluster", ErrConfig, p.Node)
		}
		if _, port, err := net.SplitHostPort(p.Address); err != nil || port == "0" || port == "" {
			return fmt.Errorf("%w: the address of %s must be host:port, not %q", ErrConfig, p.Node, p.Address)
		}
		if names[p.Node] || addresses[p.Address] {
			return fmt.Errorf("%w: %s is given twice, or something else has its name or its address", ErrConfig, p)
		}
		names[p.Node], addresses[p.Address] = true, true
	}
	if !names[c.Node] {
		return fmt.Errorf("%w: this node, %s, is not among the nodes: %v", ErrConfig, c.Node, c.Peers)
	}
	return nil
}

// options makes the engine one of several.
func (c *Cluster) options(o *server.Options) error {
	host, port, err := net.SplitHostPort(c.Address)
	if err == nil {
		o.Cluster.Port, err = enginePort(port)
	}
	if err != nil {
		return fmt.Errorf("%w: cluster address %q: %w", ErrConfig, c.Address, err)
	}
	if o.DontListen {
		// Without a listener of its own the engine does not speak to the others either.
		return fmt.Errorf("%w: a node of a cluster needs a Network", ErrConfig)
	}
	o.ServerName = c.Node
	o.SyncInterval = replicaSync
	o.Cluster.Name, o.Cluster.Host = "warmfront", host
	o.Cluster.TLSConfig = c.TLS.Clone()
	o.Cluster.TLSConfig.MinVersion = tls.VersionTLS13
	o.Cluster.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
	o.Cluster.TLSTimeout, o.Cluster.AuthTimeout = 5, 5
	o.CustomRouterAuthentication = router{c}
	for _, p := range c.Peers {
		if p.Node != c.Node {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: p.Address})
		}
	}
	return nil
}

// replicaSync is how often the engine writes through what it has not synced by itself (its own: two minutes). With replicas that
// is all but its log of appends: what a replica was mended with, too.
const replicaSync = time.Second

// router lets in who is a control node.
type router struct{ c *Cluster }

// Check implements server.Authentication.
func (r router) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	return c.Kind() == server.ROUTER && state != nil && r.c.Admit(state)
}

// election is how long the nodes may take to agree on who leads, when the one that did has gone. What is appended meanwhile waits.
const election = 10 * time.Second

// Quorum returns nil while this node is one of most of the nodes, as far as it knows, and they have agreed on who leads, or have not
// been without for long. ErrQuorum: nothing can be appended by way of it. One that has been cut off without a sign notices that
// after ten seconds.
func (l *Log) Quorum() error {
	switch {
	case l.c.External != nil && l.others == nil: // who opens it asks again
		return nil
	case l.c.External != nil:
		return l.others.reached()
	case l.c.Cluster == nil:
		return nil
	}
	words, most := l.standing()
	led := l.led()
	l.leaderless.mu.Lock()
	defer l.leaderless.mu.Unlock()
	if since := &l.leaderless.since; led {
		*since = time.Time{}
	} else if since.IsZero() {
		*since = time.Now()
	}
	if most && (led || time.Since(l.leaderless.since) < election) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrQuorum, words)
}

// standing says who is there and who is not, and whether those are most.
func (l *Log) standing() (words string, most bool) {
	names := l.reached()
	var here, missing []string
	for _, p := range l.c.Cluster.Peers {
		if names[p.Node] {
			here = append(here, p.Node)
		} else {
			missing = append(missing, p.String())
		}
	}
	words = fmt.Sprintf("%d of %d control nodes reached: %s", len(here), len(l.c.Cluster.Peers), strings.Join(here, ", "))
	if len(missing) > 0 {
		words += "; not " + strings.Join(missing, ", ")
	} else {
		words += "; they have not agreed yet who leads"
	}
	return words, len(here) > len(missing)
}

// Standing is how one of several nodes is, as this one sees it.
type Standing struct {
	Node    string
	Reached bool // by this one; this one itself is
	Leads   bool // it orders what is appended to the log
}

// Nodes returns the nodes of a cluster, in the order of Cluster.Peers, or those that have the log in the same external NATS; nil: there is none.
func (l *Log) Nodes() []Standing {
	switch {
	case l.c.External != nil:
		return l.others.nodes()
	case l.c.Cluster == nil:
		return nil
	}
	here, leader := l.reached(), l.leader()
	all := make([]Standing, 0, len(l.c.Cluster.Peers))
	for _, p := range l.c.Cluster.Peers {
		all = append(all, Standing{p.Node, here[p.Node], p.Node == leader})
	}
	return all
}

// leader is the name of the node that leads the log, as this one knows; "": none does.
func (l *Log) leader() string { return l.leaderOf(l.c.names().stream) }

func (l *Log) leaderOf(stream string) string {
	if d, known := l.ownStream(stream); known && d.Cluster != nil {
		return d.Cluster.Leader
	}
	return ""
}

// reached are the nodes with which this one has a connection, and itself.
func (l *Log) reached() map[string]bool {
	names := map[string]bool{l.c.Cluster.Node: true}
	if z, err := l.srv.Routez(&server.RoutezOptions{}); err == nil {
		for _, r := range z.Routes {
			names[r.RemoteName] = true
		}
	}
	return names
}

// leaderless is since when nobody leads; zero: somebody does.
type leaderless struct {
	mu    sync.Mutex
	since time.Time
}

// led reports whether somebody leads the cluster, which is a group of the system's account, and the log.
func (l *Log) led() bool {
	all := l.srv.Raftz(&server.RaftzOptions{AccountFilter: server.DEFAULT_SYSTEM_ACCOUNT})
	if all == nil || len((*all)[server.DEFAULT_SYSTEM_ACCOUNT]) == 0 {
		return false
	}
	for _, g := range (*all)[server.DEFAULT_SYSTEM_ACCOUNT] {
		if g.Leader == "" {
			return false
		}
	}
	return l.leader() != ""
}

// Others returns the addresses at which edges find the other control nodes, as far as those have told, and whether that is all.
func (l *Log) Others() (addresses []string, all bool) {
	switch {
	case l.c.External != nil:
		return l.others.addresses()
	case l.c.Cluster == nil:
		return nil, true
	}
	own := cmp.Or(l.c.Network.Advertise, l.Addr())
	for _, s := range l.nc.DiscoveredServers() {
		u, err := url.Parse(s)
		if err == nil && u.Host != own && !slices.Contains(addresses, u.Host) {
			addresses = append(addresses, u.Host)
		}
	}
	return addresses, len(addresses)+1 >= len(l.c.Cluster.Peers)
}
