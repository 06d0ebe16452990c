package node

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/warmfront/warmfront/journal/jetstream"
)

// external is what --nats and its companions say; nil: the journal is here.
func (c *Config) external() (*jetstream.External, error) {
	if len(c.NATS) == 0 {
		if c.NATSCreds != "" || c.NATSCA != "" || c.NATSCert != "" || c.NATSKey != "" || c.NATSPrefix != "" || c.NATSReplicas != 0 || c.NATSSyncAlways {
			return nil, errors.New("--nats-creds, --nats-ca, --nats-cert, --nats-key, --nats-prefix, --nats-replicas and --nats-sync-always are for --nats, which says where your NATS is")
		}
		return nil, nil
	}
	if len(c.Peers) > 0 {
		return nil, errors.New("--nats and --peers exclude each other: the journal is in your NATS, or on the disks of the control nodes. Any number of control nodes may use the same NATS")
	}
	if c.ClusterAddress != "" {
		return nil, errors.New("--cluster-address is for --peers: with --nats, control nodes speak with each other through that")
	}
	host, err := os.Hostname()
	if c.Name == "" && err != nil {
		return nil, fmt.Errorf("--name is needed: this machine's is not known: %w", err)
	}
	x := &jetstream.External{
		URLs: c.NATS, Credentials: c.NATSCreds, CA: c.NATSCA, Cert: c.NATSCert, Key: c.NATSKey,
		Prefix: c.NATSPrefix, Replicas: c.NATSReplicas, SyncAlways: c.NATSSyncAlways, Node: cmp.Or(c.Name, host),
		Idle: c.JournalEntries == 0,
	}
	switch err := x.Check(); {
	case errors.Is(err, jetstream.ErrUnsafe):
		return nil, fmt.Errorf("--nats-sync-always is needed: %w", err)
	case err != nil:
		return nil, fmt.Errorf("--nats: %w", err)
	}
	return x, nil
}
