package cloudfront

import (
	"context"
	"maps"
	"slices"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

func tagResource(ctx context.Context, c *call) (*result, error) {
	arn, err := c.resource()
	if err != nil {
		return nil, err
	}
	list := new(wire.Tags)
	if err := c.decode(list); err != nil {
		return nil, err
	}
	tags, err := tagMap(list)
	if err != nil {
		return nil, err
	}
	return &result{}, c.control.Tag(ctx, c.by, arn, tags)
}

func untagResource(ctx context.Context, c *call) (*result, error) {
	arn, err := c.resource()
	if err != nil {
		return nil, err
	}
	keys := new(wire.TagKeys)
	if err := c.decode(keys); err != nil {
		return nil, err
	}
	return &result{}, c.control.Untag(ctx, c.by, arn, keys.Items)
}

func listTags(_ context.Context, c *call) (*result, error) {
	arn, err := c.resource()
	if err != nil {
		return nil, err
	}
	tags, err := c.control.Tags(arn)
	if err != nil {
		return nil, err
	}
	list := new(wire.Tags)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list.Items = append(list.Items, wire.Tag{Key: wire.Ptr(key), Value: wire.Ptr(tags[key])})
	}
	return &result{body: list}, nil
}

func (c *call) resource() (string, error) {
	arn := c.query.Get("Resource")
	if arn == "" {
		return "", refuse("InvalidArgument", "The query parameter Resource is missing: it names the resource by its ARN.")
	}
	return arn, nil
}

// tagMap refuses what a map cannot say: a key that comes twice.
func tagMap(list *wire.Tags) (map[string]string, error) {
	if list == nil {
		return nil, nil
	}
	if err := wire.CheckRequired(list); err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for _, t := range list.Items {
		key := wire.Val(t.Key)
		if _, twice := tags[key]; twice {
			return nil, refuse("InvalidTagging", "The tag key '%.128s' is there more than once.", key)
		}
		tags[key] = wire.Val(t.Value)
	}
	return tags, nil
}
