package control

import (
	"context"
	"maps"
	"strings"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// Tag adds tags to a resource, replacing those with the same keys. Errors: NoSuchResource,
// InvalidArgument (no ARN), InvalidTagging. A tag warmfront:… changes what the edges do, so the
// distribution is InProgress until they know; its ETag is the config's and stays.
func (c *Control) Tag(ctx context.Context, by journal.Actor, arn string, tags map[string]string) error {
	return c.retag(ctx, by, arn, func(now map[string]string) { maps.Copy(now, tags) })
}

// Untag removes tags by key; keys that are not there are ignored.
func (c *Control) Untag(ctx context.Context, by journal.Actor, arn string, keys []string) error {
	return c.retag(ctx, by, arn, func(now map[string]string) {
		for _, k := range keys {
			delete(now, k)
		}
	})
}

// Tags returns a resource's tags, a copy.
func (c *Control) Tags(arn string) (map[string]string, error) {
	id, err := c.distributionOf(arn)
	if err != nil {
		return nil, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	d := c.state.distributions[id]
	if d == nil {
		return nil, noSuchResource(arn)
	}
	return maps.Clone(d.put.Tags), nil
}

func (c *Control) retag(ctx context.Context, by journal.Actor, arn string, change func(map[string]string)) error {
	id, err := c.distributionOf(arn)
	if err != nil {
		return err
	}
	_, err = c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		d := s.distributions[id]
		if d == nil {
			return nil, noSuchResource(arn)
		}
		tags := map[string]string{}
		maps.Copy(tags, d.put.Tags)
		change(tags)
		if maps.Equal(tags, d.put.Tags) {
			return nil, nil
		}
		if err := distribution.ValidateTags(tags); err != nil {
			return nil, err
		}
		put := *d.put
		put.Tags, put.By = tags, by
		return []journal.Fact{{DistributionPut: &put}}, nil
	})
	return err
}

// distributionOf returns the id in a distribution's ARN.
func (c *Control) distributionOf(arn string) (string, error) {
	if !strings.HasPrefix(arn, arnPrefix) {
		return "", refuse("InvalidArgument", "The resource %q is not the ARN of a CloudFront resource. A distribution's is %s.", arn, c.arn("<id>"))
	}
	id, ok := strings.CutPrefix(arn, c.arn(""))
	if !ok {
		return "", noSuchResource(arn)
	}
	return id, nil
}

func noSuchResource(arn string) error {
	return refuse("NoSuchResource", "The resource that was specified does not exist: %q. Tags can be set on the distributions of this account.", arn)
}
