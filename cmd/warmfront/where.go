package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/ownapi/client"
)

// narrow are the flags that say which of what the selectors name is meant.
type narrow struct {
	status, types, hosts []string
	before               string
}

func (n *narrow) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&n.status, "status", nil, "only what was answered with one of these `statuses`, as in 404 or 5xx")
	f.StringSliceVar(&n.types, "content-type", nil, "only what is of one of these `types`, as in text/css or 'image/*'")
	f.StringSliceVar(&n.hosts, "host", nil, "only what is stored for one of these `hosts`, where the cache key has the host")
	f.StringVar(&n.before, "stored-before", "", "only what was stored before a `time`: 2h for so long ago, or 2026-11-25T18:00:00Z")
}

// read returns the conditions; nil: there are none.
func (n *narrow) read(changed func(string) bool, now time.Time) (*client.Where, error) {
	for name, values := range map[string][]string{"status": n.status, "content-type": n.types, "host": n.hosts, "stored-before": {n.before}} {
		if changed(name) && strings.Join(values, "") == "" {
			return nil, usage("--%s is empty: is the variable set that it comes from?", name)
		}
	}
	w := &client.Where{Status: n.status, ContentType: n.types, Host: n.hosts}
	before, err := parseMoment(n.before, now)
	if err != nil {
		return nil, usage("--stored-before %w", err)
	}
	if !before.IsZero() {
		w.StoredBefore = &before
	}
	if len(w.Status)+len(w.ContentType)+len(w.Host) == 0 && w.StoredBefore == nil {
		return nil, nil
	}
	return w, nil
}

// whereText says what narrows an invalidation's selectors.
func whereText(w *client.Where) string {
	if w == nil {
		return ""
	}
	var parts []string
	say := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+" "+strings.Join(values, " or "))
		}
	}
	say("status", w.Status)
	say("type", w.ContentType)
	say("host", w.Host)
	if w.StoredBefore != nil {
		parts = append(parts, "stored before "+w.StoredBefore.Local().Format(dateTime))
	}
	return "only " + strings.Join(parts, ", ")
}
