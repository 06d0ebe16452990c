package ownapi

import (
	"errors"
	"time"

	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

// where is journal.Where in this API's words.
type where struct {
	Status       []string `json:"status"`
	ContentType  []string `json:"contentType"`
	Host         []string `json:"host"`
	StoredBefore instant  `json:"storedBefore"`
}

// whereWish is the same in a request.
type whereWish struct {
	Status       []string   `json:"status"`
	ContentType  []string   `json:"contentType"`
	Host         []string   `json:"host"`
	StoredBefore *time.Time `json:"storedBefore"`
}

func (w *whereWish) fact() *journal.Where {
	if w == nil {
		return nil
	}
	f := &journal.Where{Status: w.Status, ContentType: w.ContentType, Host: w.Host}
	if w.StoredBefore != nil {
		f.StoredBefore = *w.StoredBefore
	}
	return f
}

// parseWhere reads conditions as CreateInvalidation will.
func parseWhere(f *journal.Where) (*invalidation.Where, error) {
	if f == nil {
		return nil, nil
	}
	parsed, err := invalidation.ParseWhere(invalidation.Conditions(*f))
	if bad := new(invalidation.WhereError); errors.As(err, &bad) {
		return nil, invalid("The condition %s cannot be %.100q. %s", bad.Field, bad.Value, bad.Hint)
	}
	return parsed, err
}

func whereOf(f *journal.Where) *where {
	if f == nil {
		return nil
	}
	return &where{Status: list(f.Status), ContentType: list(f.ContentType), Host: list(f.Host), StoredBefore: instant(f.StoredBefore)}
}
