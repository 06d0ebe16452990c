package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
)

// world is everything that one story has: the process, its origins, what it created.
type world struct {
	dir           string
	args          []string // of the last start, for restarts
	proc          *process
	edges         map[string]*machine // that are processes of their own
	relays        map[string]*process // the same
	nats          *ownNATS            // nil: the story has none
	origins       map[string]*origin
	distributions map[string]*distribution
	current       string // the distribution that verbs mean when they name none
	invalidation  string // the newest
	refusal       string // of the last verb that had to be refused
	code          int    // exit code of the last command line
	background    map[string]asked
	web           *http.Client
}

type distribution struct {
	id, domain, etag string
	options          map[string]string
}

func newWorld(dir string) *world {
	return &world{
		dir: dir, edges: map[string]*machine{}, relays: map[string]*process{}, origins: map[string]*origin{}, distributions: map[string]*distribution{}, background: map[string]asked{},
		web: &http.Client{
			Transport:     &http.Transport{DisableCompression: true, Proxy: nil, MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       patience,
		},
	}
}

func (w *world) close() {
	if w.proc != nil {
		select {
		case <-w.proc.ended:
		default:
			w.proc.kill()
		}
	}
	w.closeEdges()
	for _, o := range w.origins {
		o.close()
	}
	w.web.CloseIdleConnections()
}

func (w *world) start(args []string) error {
	p, err := startProcess(w.dir, args)
	if err != nil {
		return err
	}
	w.proc, w.args = p, args
	return nil
}

// inVain starts the process, and stops it as soon as its first edge says anything: most likely before that has read the journal.
func (w *world) inVain() error {
	var none *host
	p, err := begin(none.command, w.dir, devArgs(w.args))
	if err != nil {
		return err
	}
	said := w.until(patience, func() (bool, error) {
		resp, err := http.Get(w.proc.ready.Edges[0].URL)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil, nil
	})
	p.cmd.Process.Signal(os.Interrupt)
	<-p.ended
	return said
}

// api is the stock AWS SDK, pointed at Warmfront.
func (w *world) api() *cloudfront.Client {
	return cloudfront.New(cloudfront.Options{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(w.proc.ready.API),
		Credentials:  credentials.NewStaticCredentialsProvider(w.proc.ready.AccessKeyID, w.proc.ready.SecretAccessKey, ""),
		Retryer:      aws.NopRetryer{},
	})
}

func (w *world) distribution(name string) (*distribution, error) {
	if name == "" {
		name = w.current
	}
	if d := w.distributions[name]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("no distribution %q", name)
}

// create makes a distribution by the SDK from the story's options and waits until it is deployed.
func (w *world) create(name string, options map[string]string) error {
	config, err := distributionConfig(w, fmt.Sprintf("%s-%d", name, time.Now().UnixNano()), options)
	if err != nil {
		return err
	}
	out, err := w.api().CreateDistributionWithTags(context.Background(), &cloudfront.CreateDistributionWithTagsInput{
		DistributionConfigWithTags: &types.DistributionConfigWithTags{DistributionConfig: config, Tags: &types.Tags{Items: tags(options)}},
	})
	if err != nil {
		return err
	}
	w.distributions[name] = &distribution{id: *out.Distribution.Id, domain: *out.Distribution.DomainName, etag: *out.ETag, options: options}
	w.current = name
	return w.deployed(name)
}

// update changes some options of a distribution and waits until it is deployed.
func (w *world) update(name string, options map[string]string) error {
	d, err := w.distribution(name)
	if err != nil {
		return err
	}
	ctx, api := context.Background(), w.api()
	now, err := api.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &d.id})
	if err != nil {
		return err
	}
	for k, v := range options {
		d.options[k] = v
	}
	config, err := distributionConfig(w, *now.DistributionConfig.CallerReference, d.options)
	if err != nil {
		return err
	}
	out, err := api.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &d.id, IfMatch: now.ETag, DistributionConfig: config})
	if err != nil {
		return err
	}
	d.etag = *out.ETag
	return w.deployed(name)
}

func (w *world) deployed(name string) error {
	d, err := w.distribution(name)
	if err != nil {
		return err
	}
	return w.until(patience, func() (bool, error) {
		out, err := w.api().GetDistribution(context.Background(), &cloudfront.GetDistributionInput{Id: &d.id})
		return err == nil && *out.Distribution.Status == "Deployed", err
	})
}

func (w *world) invalidate(name string, paths []string) error {
	d, err := w.distribution(name)
	if err != nil {
		return err
	}
	out, err := w.api().CreateInvalidation(context.Background(), &cloudfront.CreateInvalidationInput{
		DistributionId: &d.id,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: aws.String(fmt.Sprintf("e2e-%d", time.Now().UnixNano())),
			Paths:           &types.Paths{Quantity: aws.Int32(int32(len(paths))), Items: paths},
		},
	})
	if err != nil {
		return err
	}
	w.current, w.invalidation = w.nameOf(d), *out.Invalidation.Id
	return nil
}

func (w *world) nameOf(d *distribution) string {
	for n, x := range w.distributions {
		if x == d {
			return n
		}
	}
	return ""
}

func (w *world) completed(within time.Duration) error {
	d, err := w.distribution("")
	if err != nil {
		return err
	}
	return w.until(within, func() (bool, error) {
		out, err := w.api().GetInvalidation(context.Background(), &cloudfront.GetInvalidationInput{DistributionId: &d.id, Id: &w.invalidation})
		return err == nil && *out.Invalidation.Status == "Completed", err
	})
}

// until asks again and again, as a client does, until done or too late.
func (w *world) until(within time.Duration, done func() (bool, error)) error {
	deadline := time.After(within)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-deadline:
			return errors.New("not within " + within.String())
		}
	}
}

func tags(options map[string]string) []types.Tag {
	out := []types.Tag{}
	for k, v := range options {
		if name, ok := strings.CutPrefix(k, "tag:"); ok {
			out = append(out, types.Tag{Key: aws.String(name), Value: aws.String(v)})
		}
	}
	return out
}
