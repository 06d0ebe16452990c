package edge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

// The method PURGE, as sites know it from Varnish, nginx and Fastly, where the distribution takes it (tag
// warmfront:purge). It is an invalidation like any other: the edge makes items of the request, and the control plane
// judges whose key came with it and writes them to the journal. All edges drop what it names, not this one alone, and
// a good answer is given when it is Completed.
//
// The ticket is closed meanwhile: this edge has to acknowledge the rule too.

// Purge is what a viewer wants to be invalidated.
type Purge struct {
	Distribution  string // id
	Items         []string
	KeyID, Secret string // of an access key, as the viewer has shown them
	Address       string // the viewer's
	Edge          string
	Soft          bool // mark stale; false: as the distribution's tag says
	Wait          bool // until it is Completed, or ctx ends
}

// Purged is an invalidation that was accepted.
type Purged struct {
	ID        string
	Completed bool
}

// PurgeRefused is the control plane's no, for the viewer.
type PurgeRefused struct {
	Status     int // of HTTP
	Message    string
	RetryAfter time.Duration // 0: not said
}

func (r *PurgeRefused) Error() string { return r.Message }

const (
	purgeWait = 10 * time.Second // for Completed; then it is 202
	// maxPurges bounds those that wait at once (L9); beyond it they are refused.
	maxPurges = 64
)

// purges tells whether the request is one of them.
func (v *visit) purges(q *query) bool {
	return q.req.Method == "PURGE" && q.site.Purge && v.e.cfg.Purge != nil
}

// purge has the control plane invalidate what the request names. It is done once, however often the attempt is made
// anew.
func (v *visit) purge(q *query) (*answer, step) {
	v.ticket.close()
	done, err := v.purged(q)
	if v.ctx.Err() != nil {
		return nil, left
	}
	a := &answer{status: 200, outcome: Miss, reason: Purging, plain: true, fields: pageFields(nil, v.now)}
	a.fields.Set("Content-Type", "application/json")
	a.fields.Set("Cache-Control", "no-store")
	var said struct {
		Status       string `json:"status"` // "ok" as Fastly says it, or "error"
		ID           string `json:"id,omitempty"`
		Invalidation string `json:"invalidation,omitempty"` // its status
		Message      string `json:"message,omitempty"`
	}
	var no *PurgeRefused
	switch {
	case errors.As(err, &no):
		said.Status, said.Message = "error", no.Message
		a.status, a.outcome = no.Status, Failed
		if no.Status == 401 {
			a.fields.Set("WWW-Authenticate", `Basic realm="PURGE"`)
		}
		if no.RetryAfter > 0 {
			a.fields.Set("Retry-After", strconv.Itoa(int((no.RetryAfter+time.Second-1)/time.Second)))
		}
	case err != nil:
		v.e.log.Error("PURGE failed", "distribution", q.site.ID, "err", err)
		said.Status, said.Message = "error", "It is not known whether this was invalidated. Try again."
		a.status, a.outcome = 503, Failed
	default:
		said.Status, said.ID, said.Invalidation = "ok", done.ID, "Completed"
		if !done.Completed {
			a.status, said.Invalidation = 202, "InProgress"
		}
	}
	a.body, _ = json.Marshal(&said) // strings alone
	a.body = append(a.body, '\n')
	a.length = int64(len(a.body))
	v.passed = a
	return a, found
}

// purged asks the control plane.
func (v *visit) purged(q *query) (Purged, error) {
	r := q.req
	p := Purge{Distribution: q.site.ID, Address: r.Remote.Addr().Unmap().String(), Edge: v.e.cfg.Name}
	if r.Scheme != "https" && !q.site.PurgePlain && !r.Remote.Addr().Unmap().IsLoopback() {
		return Purged{}, &PurgeRefused{Status: 403, Message: "PURGE carries a secret: send it by https."}
	}
	var ok bool
	if p.KeyID, p.Secret, ok = shownKey(r.Fields); !ok {
		return Purged{}, &PurgeRefused{Status: 401, Message: "PURGE needs an access key that may invalidate: its id as user and its secret as password (Basic), or both with a colon between them as Bearer or Fastly-Key."}
	}
	var err error
	if p.Items, err = q.purgeItems(); err != nil {
		return Purged{}, err
	}
	if v.r.ContentLength != 0 {
		return Purged{}, &PurgeRefused{Status: 400, Message: "PURGE has no body: what is to be purged stands in the URL, or in a header with tags."}
	}
	switch soft := r.Fields.Get("Fastly-Soft-Purge"); soft {
	case "", "0":
	case "1":
		p.Soft = true
	default:
		return Purged{}, &PurgeRefused{Status: 400, Message: "Fastly-Soft-Purge is 1, or left out."}
	}
	p.Wait = !prefers(r.Fields, "respond-async")
	if n := v.e.purging.Add(1); n > maxPurges {
		v.e.purging.Add(-1)
		return Purged{}, &PurgeRefused{Status: 503, Message: "This edge has as many PURGE requests as it may. Try again in a moment.", RetryAfter: time.Second}
	}
	defer v.e.purging.Add(-1)
	ctx, cancel := context.WithTimeout(v.ctx, purgeWait)
	defer cancel()
	return v.e.cfg.Purge(ctx, p)
}

// shownKey finds an access key's id and secret in a request.
func shownKey(f message.Fields) (id, secret string, ok bool) {
	both := f.Get("Fastly-Key")
	if f.Has("Authorization") {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(f.Get("Authorization")), " ")
		switch rest = strings.TrimSpace(rest); {
		case strings.EqualFold(scheme, "Basic"):
			b, err := base64.StdEncoding.DecodeString(rest)
			if err != nil {
				return "", "", false
			}
			both = string(b)
		case strings.EqualFold(scheme, "Bearer"):
			both = rest
		}
	}
	return strings.Cut(both, ":")
}

// prefers reads Prefer (RFC 7240), of which no parameter is of interest here.
func prefers(f message.Fields, what string) bool {
	for p := range strings.SplitSeq(f.Joined("Prefer"), ",") {
		p, _, _ = strings.Cut(p, ";")
		if strings.EqualFold(strings.TrimSpace(p), what) {
			return true
		}
	}
	return false
}

// purgeItems reads what is to be invalidated: the tags of a header, if there is one that is known to have tags,
// otherwise the URL alone. What would have another meaning elsewhere is refused, not taken for the URL.
func (q *query) purgeItems() ([]string, error) {
	bad := func(message string) ([]string, error) { return nil, &PurgeRefused{Status: 400, Message: message} }
	r := q.req
	for _, name := range [...]string{q.site.CacheTagHeader, "Surrogate-Key", "Cache-Tag"} {
		if name == "" || !r.Fields.Has(name) {
			continue
		}
		if q.site.CacheTagHeader == "" {
			return bad("No object of this distribution has a tag: name its cache tag header in its settings first.")
		}
		list := invalidation.TagListOf(name)
		list.Most = invalidation.MaxManyTags
		tags, left := list.Parse(r.Fields.Joined(name))
		if left > 0 || len(tags) == 0 {
			return bad(name + " has to have 1 to " + strconv.Itoa(list.Most) + " tags, and nothing that is none.")
		}
		for i, t := range tags {
			tags[i] = "#" + t
		}
		return tags, nil
	}
	dialect := invalidation.Anywhere
	if q.site.AWSWildcards {
		dialect = invalidation.AWS
	}
	switch how := r.Fields.Get("X-Purge-Method"); {
	case how == "", strings.EqualFold(how, "default"), strings.EqualFold(how, "exact"):
		uri := r.Path
		if keyed, ignored := q.behavior.KeyedQuery(r); !ignored && keyed != "" {
			uri += "?" + keyed
		}
		return []string{invalidation.Spell(uri, dialect)}, nil
	case strings.EqualFold(how, "regex"):
		// WordPress's plugins send it for a site, or all below a path.
		prefix, ok := strings.CutSuffix(r.Path, ".*")
		if !ok || strings.ContainsAny(prefix, `*+\^$|()[]{}`) || r.HasQuery {
			return bad("Of regular expressions, only a path with .* at its end is known here.")
		}
		return []string{invalidation.Spell(prefix, dialect) + "*"}, nil
	}
	return bad("X-Purge-Method is default, exact or regex.")
}
