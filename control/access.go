package control

import (
	"context"
	"errors"
	"slices"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/journal"
)

// AccessChanged writes down in the audit trail what somebody was let do, such as to become a control node.
func (c *Control) AccessChanged(ctx context.Context, by journal.Actor, action, resource string) error {
	_, err := c.commit(ctx, func(*state) ([]journal.Fact, error) {
		return []journal.Fact{{AccessChanged: &journal.AccessChanged{Action: action, Resource: resource, By: by}}}, nil
	})
	return err
}

// ChangeAccess brings the records that decide returns to Config.Access of all control nodes; here they count when it returns. The audit trail has it
// under action, unless that is "". decide runs when Config.Access has all that there is, may run several times, and is told by known of
// which names there was a record, also of what is gone. Its error is returned as it is; without records nothing is done.
func (c *Control) ChangeAccess(ctx context.Context, by journal.Actor, action, resource string, decide func(known func(name string) bool) ([]auth.Record, error)) error {
	var refused error
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		var all []auth.Record
		all, refused = decide(func(name string) bool { return s.access[name] != nil })
		if refused != nil || len(all) == 0 {
			return nil, refused
		}
		f := &journal.AccessChanged{Action: action, Resource: resource, By: by}
		for _, r := range all {
			f.Records = append(f.Records, journal.AccessRecord{Name: r.Name, Sealed: r.Sealed})
		}
		return []journal.Fact{{AccessChanged: f}}, nil
	})
	if refused != nil && errors.Is(err, refused) { // not when it could not be made sure that it is so
		return refused
	}
	return err
}

// applyAccess gives records to Config.Access.
func (c *Control) applyAccess(e *journal.Entry) {
	if c.cfg.Access == nil {
		return
	}
	for _, f := range e.Facts {
		if f.AccessChanged == nil {
			continue
		}
		for _, r := range f.AccessChanged.Records {
			if err := c.cfg.Access.Apply(auth.Record{Name: r.Name, Sealed: r.Sealed}); err != nil {
				c.cfg.Logger.Error("a record of who may cannot be read, and counts for nothing", "entry", e.Seq, "err", err)
			}
		}
	}
}

// What follows is the state's part.

// accessRecords are the newest records of each name: by the record's name, the fact that has it. What is gone is remembered for ever: it must not
// come back with an older record of a fact that is kept for another's sake, nor with a file of an earlier version.
type accessRecords map[string]*journal.AccessChanged

func (x accessRecords) apply(f *journal.AccessChanged) {
	for _, r := range f.Records {
		x[r.Name] = f
	}
}

// has tells whether a fact has a record that counts.
func (x accessRecords) has(f *journal.AccessChanged) bool {
	return slices.ContainsFunc(f.Records, func(r journal.AccessRecord) bool { return x[r.Name] == f })
}
