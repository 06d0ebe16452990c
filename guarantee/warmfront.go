package guarantee

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
)

// warmfront is Warmfront, or anything else that speaks CloudFront's API. It makes a distribution for
// the run.
type warmfront struct {
	apis     []string      // base URLs
	turn     atomic.Uint32 // which of them is asked
	key      sigv4.Signer
	client   *http.Client
	original string // name by which edges reach the origin
	tags     map[string]string
	distID   string
	places   []string // where there were edges when the run began

	restored  bool         // Config.Restored
	forgotten atomic.Int64 // invalidations that had been accepted, and were not known any more
}

// silence is for how long one of several control nodes is waited for.
const silence = 3 * time.Second

// checkAPI says what is missing for the API to be asked.
func (c *Config) checkAPI() error {
	if c.API == "" {
		return errors.New("--api: the URL of the API is needed (or AWS_ENDPOINT_URL_CLOUDFRONT)")
	}
	for _, api := range apis(c.API) {
		if !isBase(api) {
			return fmt.Errorf("--api: %q is not like http://host:port", api)
		}
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set; warmfront dev prints them, and writes them to aws.env")
	}
	return nil
}

func newWarmfront(c Config) *warmfront {
	return &warmfront{
		apis: apis(c.API), client: &http.Client{Timeout: 20 * time.Second}, original: c.OriginName, tags: c.Tags, restored: c.Restored,
		key: sigv4.Signer{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Region: "us-east-1", Service: "cloudfront"},
	}
}

func (w *warmfront) Open(ctx context.Context, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	number, err := strconv.ParseInt(port, 10, 64)
	if err != nil {
		return "", err
	}
	if w.original != "" {
		host = w.original
	} else if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		host = "localhost" // CloudFront's origins have names
	}
	body, err := wire.Marshal("DistributionConfigWithTags", &wire.DistributionConfigWithTags{
		DistributionConfig: distributionConfig(host, number), Tags: w.allTags(),
	})
	if err != nil {
		return "", err
	}
	var made wire.Distribution
	if _, err := w.call(ctx, "POST", "/distribution?WithTags", nil, body, "Distribution", &made); err != nil {
		return "", fmt.Errorf("create a distribution: %w", err)
	}
	w.distID = wire.Val(made.Id)
	if err := w.locate(ctx); err != nil {
		return "", fmt.Errorf("ask where there are edges: %w", err)
	}
	return wire.Val(made.DomainName), w.deployed(ctx)
}

// locate asks where there are edges.
func (w *warmfront) locate(ctx context.Context) error {
	return persist(ctx, func(ctx context.Context) (bool, error) {
		answer, _, err := w.send(ctx, "GET", "/warmfront/v1/nodes", http.Header{}, nil)
		if err != nil {
			return w.final(err), err
		}
		w.places, err = placesIn(answer)
		return true, err
	})
}

// allTags are those that were wished for, and Zstandard, so that each coding is made.
func (w *warmfront) allTags() *wire.Tags {
	t := &wire.Tags{}
	if _, ok := w.tags["warmfront:compression"]; !ok {
		t.Items = append(t.Items, wire.Tag{Key: wire.Ptr("warmfront:compression"), Value: wire.Ptr("zstd")})
	}
	for k, v := range w.tags {
		t.Items = append(t.Items, wire.Tag{Key: &k, Value: &v})
	}
	return t
}

// distributionConfig caches by what the origin says, down to no time at all.
func distributionConfig(origin string, port int64) *wire.DistributionConfig {
	const optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6" // its key has the accepted encodings
	p := wire.Ptr[string]
	packs := func(k Kind) wire.CacheBehavior {
		return wire.CacheBehavior{
			PathPattern: p("/*/" + k.String() + "/*"), TargetOriginId: p("checker"), ViewerProtocolPolicy: p("allow-all"),
			CachePolicyId: p(optimized), Compress: wire.Ptr(true),
		}
	}
	// Their keys have a header, or a cookie; otherwise they are as all others.
	keyed := func(k Kind, cookies *wire.CookiePreference, headers ...string) wire.CacheBehavior {
		return wire.CacheBehavior{
			PathPattern: p("/*/" + k.String() + "/*"), TargetOriginId: p("checker"), ViewerProtocolPolicy: p("allow-all"),
			ForwardedValues: &wire.ForwardedValues{QueryString: wire.Ptr(true), Cookies: cookies,
				Headers: &wire.Headers{Quantity: wire.Ptr(int64(len(headers))), Items: headers}},
			MinTTL: wire.Ptr[int64](0), DefaultTTL: wire.Ptr[int64](86400), MaxTTL: wire.Ptr[int64](31536000),
		}
	}
	none := &wire.CookiePreference{Forward: p("none")}
	shade := &wire.CookiePreference{Forward: p("whitelist"), WhitelistedNames: &wire.CookieNames{Quantity: wire.Ptr[int64](1), Items: []string{shadeCookie}}}
	behaviors := []wire.CacheBehavior{packs(Encoded), packs(Compressed), keyed(Background, none, "Host"), keyed(Tongued, none, "Accept-Language"), keyed(Shaded, shade)}
	var pages []wire.CustomErrorResponse
	for _, status := range explained {
		pages = append(pages, wire.CustomErrorResponse{
			ErrorCode: wire.Ptr(int64(status)), ResponseCode: p(strconv.Itoa(status)), ResponsePagePath: p(pagePath()), ErrorCachingMinTTL: wire.Ptr[int64](0),
		})
	}
	return &wire.DistributionConfig{
		CallerReference: p(fmt.Sprintf("check-guarantee-%d", time.Now().UnixNano())),
		Comment:         p("warmfront check-guarantee"),
		Enabled:         wire.Ptr(true),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{
			Id: p("checker"), DomainName: &origin,
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: &port, HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: p("http-only")},
		}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{
			TargetOriginId: p("checker"), ViewerProtocolPolicy: p("allow-all"),
			ForwardedValues: &wire.ForwardedValues{QueryString: wire.Ptr(true), Cookies: &wire.CookiePreference{Forward: p("none")}},
			AllowedMethods: &wire.AllowedMethods{Quantity: wire.Ptr[int64](7),
				Items:         []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"},
				CachedMethods: &wire.CachedMethods{Quantity: wire.Ptr[int64](2), Items: []string{"GET", "HEAD"}}},
			MinTTL: wire.Ptr[int64](0), DefaultTTL: wire.Ptr[int64](86400), MaxTTL: wire.Ptr[int64](31536000),
		},
		CustomErrorResponses: &wire.CustomErrorResponses{Quantity: wire.Ptr(int64(len(pages))), Items: pages},
		CacheBehaviors:       &wire.CacheBehaviors{Quantity: wire.Ptr(int64(len(behaviors))), Items: behaviors},
		HttpVersion:          p("http2and3"),
		CacheTagConfig:       &wire.CacheTagConfig{HeaderName: p("Cache-Tag")},
	}
}

func (w *warmfront) deployed(ctx context.Context) error {
	return persist(ctx, func(ctx context.Context) (bool, error) {
		var d wire.Distribution
		_, err := w.call(ctx, "GET", "/distribution/"+w.distID, nil, nil, "Distribution", &d)
		return err == nil && wire.Val(d.Status) == "Deployed", err
	})
}

func (w *warmfront) Invalidate(ctx context.Context, b Batch) (Outcome, error) {
	id, err := w.create(ctx, b)
	if err != nil {
		return Outcome{}, fmt.Errorf("create an invalidation: %w", err)
	}
	for {
		o, err := w.outcome(ctx, id, b.Turns)
		if no := new(refusal); !w.restored || !errors.As(err, &no) || no.status != http.StatusNotFound {
			return o, err
		}
		// What had been accepted is not there any more: whoever puts a journal back has to ask for it again.
		w.forgotten.Add(1)
		if id, err = w.create(ctx, b); err != nil {
			return Outcome{}, fmt.Errorf("create an invalidation again: %w", err)
		}
	}
}

// outcome waits until an invalidation is Completed, or what is to be withdrawn of it has been.
func (w *warmfront) outcome(ctx context.Context, id string, turns *Turns) (o Outcome, err error) {
	if turns != nil && turns.Withdraw > 0 {
		if only, err := w.withdrawn(ctx, id, turns); only != nil || err != nil {
			return Outcome{Only: only}, err
		}
	}
	path := "/distribution/" + w.distID + "/invalidation/" + id
	err = persistFor(ctx, turns.patience(len(w.places)), func(ctx context.Context) (bool, error) {
		var inv wire.Invalidation
		if _, err := w.call(ctx, "GET", path, nil, nil, "Invalidation", &inv); err != nil {
			return w.final(err), err
		}
		return wire.Val(inv.Status) == "Completed", nil
	})
	if err != nil || w.tags[distribution.TagIsolation] != distribution.IsolationServeStale {
		return Outcome{}, err
	}
	if o.Unbound, err = w.unbound(ctx, id); len(o.Unbound) > 0 {
		o.Still = func(ctx context.Context) ([]string, error) { return w.unbound(ctx, id) }
	}
	return o, err
}

// withdrawn withdraws what is left of an invalidation's turns when it is time, and waits until those that have come have ended. It returns for whom
// they were; nil: none were left, and it will be Completed.
func (w *warmfront) withdrawn(ctx context.Context, id string, turns *Turns) (only []string, err error) {
	select {
	case <-time.After(turns.Withdraw):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	path := w.own(id)
	err = persistFor(ctx, turns.patience(len(w.places)), func(ctx context.Context) (bool, error) {
		// Asked for again and again: whoever puts a journal back may have it forget this, too.
		_, _, err := w.send(ctx, "POST", path+"/withdraw", http.Header{"Content-Type": {"application/json"}}, []byte("{}"))
		if no := new(refusal); errors.As(err, &no) && no.status == http.StatusConflict {
			return true, nil // it is in force everywhere
		} else if err != nil {
			return w.final(err), err
		}
		r, err := w.receipt(ctx, id)
		if err != nil {
			return w.final(err), err
		}
		if r.Invalidation.Status != "Withdrawn" || !r.ended() {
			return false, nil
		}
		only = r.bound()
		return true, nil
	})
	return only, err
}

// own is an invalidation's path in Warmfront's own API.
func (w *warmfront) own(id string) string {
	return "/warmfront/v1/distributions/" + w.distID + "/invalidations/" + id
}

// receipt is what is read of one.
type receipt struct {
	Invalidation struct {
		Status string `json:"status"`
		Waves  []struct {
			Completed *time.Time `json:"completed"`
		} `json:"waves"`
	} `json:"invalidation"`
	Edges []struct {
		Edge    string `json:"edge"`
		Unbound bool   `json:"unbound"`
		Waits   bool   `json:"waits"`
	} `json:"edges"`
}

// ended tells whether all turns have that have come.
func (r *receipt) ended() bool {
	for _, x := range r.Invalidation.Waves {
		if x.Completed == nil {
			return false
		}
	}
	return true
}

// bound names the edges for which it holds whose turn has been.
func (r *receipt) bound() []string {
	names := []string{}
	for _, e := range r.Edges {
		if !e.Waits && !e.Unbound {
			names = append(names, signature(e.Edge))
		}
	}
	return names
}

func (w *warmfront) receipt(ctx context.Context, id string) (*receipt, error) {
	answer, _, err := w.send(ctx, "GET", w.own(id)+"/receipt", http.Header{}, nil)
	if err != nil {
		return nil, err
	}
	r := &receipt{}
	return r, json.Unmarshal(answer, r)
}

// unbound asks the receipt for whom Completed does not speak.
func (w *warmfront) unbound(ctx context.Context, id string) (names []string, err error) {
	var r *receipt
	err = persist(ctx, func(ctx context.Context) (bool, error) {
		if r, err = w.receipt(ctx, id); err != nil {
			return w.final(err), err
		}
		return r.Invalidation.Status == "Completed", nil // or it is of a control node that has not heard of that, and names nobody yet
	})
	if err != nil {
		return nil, err
	}
	for _, e := range r.Edges {
		if e.Unbound {
			names = append(names, signature(e.Edge))
		}
	}
	return names, nil
}

// signature is how an edge signs, by its name.
func signature(edge string) string {
	sum := sha256.Sum256([]byte(edge))
	return hex.EncodeToString(sum[:16]) + ".cloudfront.net"
}

// create returns the invalidation's id. Sent again with the same reference it is the same invalidation.
func (w *warmfront) create(ctx context.Context, b Batch) (id string, err error) {
	if b.Ahead > 0 || b.Soft || b.Where != nil || b.Turns != nil || b.Pace > 0 {
		return w.wish(ctx, b)
	}
	body, err := wire.Marshal("InvalidationBatch", &wire.InvalidationBatch{
		CallerReference: &b.Reference,
		Paths:           &wire.Paths{Quantity: wire.Ptr(int64(len(b.Items))), Items: b.Items},
	})
	if err != nil {
		return "", err
	}
	var inv wire.Invalidation
	err = persist(ctx, func(ctx context.Context) (bool, error) {
		_, err := w.call(ctx, "POST", "/distribution/"+w.distID+"/invalidation", nil, body, "Invalidation", &inv)
		return err == nil || w.final(err), err
	})
	return wire.Val(inv.Id), err
}

// wish is create by Warmfront's own API, for what CloudFront's has no words for. When a time that was still to come has passed
// before the cache could be told, the invalidation comes at once.
func (w *warmfront) wish(ctx context.Context, b Batch) (id string, err error) {
	var inv struct {
		ID string `json:"id"`
	}
	wish := map[string]any{"items": b.Items, "callerReference": b.Reference, "mode": "remove"}
	if b.Ahead > 0 {
		wish["at"] = time.Now().Add(b.Ahead)
	}
	if b.Soft {
		wish["mode"] = "stale"
	}
	if b.Where != nil {
		wish["where"] = b.Where.wish()
	}
	pace := map[string]any{}
	if b.Turns != nil {
		pace["byLocation"] = map[string]any{"first": b.Turns.of(w.places), "pauseSeconds": b.Turns.Pause.Seconds()}
	}
	if b.Pace > 0 {
		pace["requestsPerSecond"], pace["refetch"] = b.Pace, b.Refetch
	}
	if len(pace) > 0 {
		wish["pace"] = pace
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return "", err
	}
	err = persist(ctx, func(ctx context.Context) (bool, error) {
		answer, _, err := w.send(ctx, "POST", "/warmfront/v1/distributions/"+w.distID+"/invalidations", http.Header{"Content-Type": {"application/json"}}, body)
		if err != nil {
			return w.final(err), err
		}
		return true, json.Unmarshal(answer, &inv)
	})
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "is in the past"):
		b.Ahead = 0
		return w.create(ctx, b)
	case strings.Contains(err.Error(), "There is no edge at the location"): // it is away
		b.Turns = &Turns{Order: byName, Pause: b.Turns.Pause}
		return w.create(ctx, b)
	}
	return inv.ID, err
}

// wish is the conditions in the words of Warmfront's own API.
func (w *Where) wish() map[string]any {
	all := map[string]any{}
	for name, value := range map[string]string{"status": w.Status, "contentType": w.Type, "host": w.Host} {
		if value != "" {
			all[name] = []string{value}
		}
	}
	if w.Before != 0 {
		all["storedBefore"] = w.Moment
	}
	return all
}

// Close disables the distribution of the run and deletes it.
func (w *warmfront) Close(ctx context.Context) error {
	if w.distID == "" {
		return nil
	}
	var c wire.DistributionConfig
	path := "/distribution/" + w.distID
	etag, err := w.call(ctx, "GET", path+"/config", nil, nil, "DistributionConfig", &c)
	if err != nil {
		return err
	}
	c.Enabled = wire.Ptr(false)
	body, err := wire.Marshal("DistributionConfig", &c)
	if err != nil {
		return err
	}
	var d wire.Distribution
	if etag, err = w.call(ctx, "PUT", path+"/config", http.Header{"If-Match": {etag}}, body, "Distribution", &d); err != nil {
		return err
	}
	if err := w.deployed(ctx); err != nil {
		return err
	}
	_, err = w.call(ctx, "DELETE", path, http.Header{"If-Match": {etag}}, nil, "", nil)
	return err
}

// refusal is an answer of the API that says no.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// final tells whether to try again is of no use. A key that calls too often is told so with 400; and of several control
// nodes one may hear a moment later than another of what there is.
func (w *warmfront) final(err error) bool {
	var r *refusal
	if !errors.As(err, &r) || len(w.apis) > 1 && r.status == http.StatusNotFound {
		return false
	}
	return r.status < 500 && r.status != http.StatusTooManyRequests && !strings.Contains(r.text, "<Code>Throttling</Code>")
}

// call asks CloudFront's API and reads the answer into out.
func (w *warmfront) call(ctx context.Context, method, path string, h http.Header, body []byte, root string, out any) (etag string, err error) {
	if h == nil {
		h = http.Header{}
	}
	if body != nil {
		h.Set("Content-Type", "application/xml")
	}
	b, etag, err := w.send(ctx, method, "/2020-05-31"+path, h, body)
	if err == nil && out != nil {
		err = wire.Unmarshal(b, root, out)
	}
	return etag, err
}

// apis are the base URLs in a list.
func apis(list string) (all []string) {
	for _, api := range strings.Split(list, ",") {
		all = append(all, strings.TrimSuffix(api, "/"))
	}
	return all
}

// send makes a signed request. Of several control nodes it asks the one that answered last, and, when that gives no answer, leaves
// the next one for the next time.
func (w *warmfront) send(ctx context.Context, method, target string, h http.Header, body []byte) (answer []byte, etag string, err error) {
	turn := w.turn.Load()
	if n := uint32(len(w.apis)); n > 1 {
		one, cancel := context.WithTimeout(ctx, silence)
		defer cancel()
		ctx = one
		defer func() {
			if no := new(refusal); err != nil && (!errors.As(err, &no) || no.status >= 500) {
				w.turn.CompareAndSwap(turn, (turn+1)%n)
			}
		}()
	}
	req, err := http.NewRequestWithContext(ctx, method, w.apis[turn]+target, bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header = h
	w.key.Sign(&sigv4.Request{Method: method, Path: req.URL.EscapedPath(), Query: req.URL.RawQuery, Host: req.URL.Host, Header: req.Header}, body, time.Now())
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		return nil, "", err
	}
	if resp.StatusCode >= 300 {
		return nil, "", &refusal{resp.StatusCode, fmt.Sprintf("%s %s: %s: %.300s", method, target, resp.Status, answer)}
	}
	return answer, resp.Header.Get("ETag"), nil
}
