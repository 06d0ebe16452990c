package control

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/warmfront/warmfront/journal"
)

// dump writes everything that a state knows, so that two can be compared and a difference be read.
func dump(s *state) string {
	type dist struct {
		Put, Seq, Items, InProgress, ItemsInProgress, Wildcards, Planned, Rolling, Invalidations, ByID, ByReference any
	}
	all := map[string]dist{}
	for id, d := range s.distributions {
		var invs []any
		for _, inv := range d.invalidations {
			var waves []any
			for _, w := range inv.waves {
				waves = append(waves, []any{w.fact, w.seq, completed(w.completed)})
			}
			invs = append(invs, []any{inv.fact, inv.seq, completed(inv.completed), inv.withdrawn, waves})
		}
		var planned []any
		for _, inv := range d.planned {
			planned = append(planned, []any{inv.fact, inv.seq, inv.planned})
		}
		var rolling []string
		for _, inv := range d.rolling {
			rolling = append(rolling, inv.fact.InvalidationID)
		}
		refs := map[string]string{}
		for ref, inv := range d.byReference {
			refs[ref] = inv.fact.InvalidationID
		}
		all[id] = dist{d.put, d.seq, d.items, d.inProgress, d.itemsInProgress, d.wildcardsInProgress, planned, rolling, invs, slices.Sorted(maps.Keys(d.byID)), refs}
	}
	members := map[string]any{}
	for name, m := range s.members {
		members[name] = []any{m.EdgeJoined, m.seq, m.time}
	}
	tokens := map[string]any{}
	for token, i := range s.invited {
		tokens[token] = []any{i.fact, i.used}
	}
	for name, a := range s.admitted {
		members["admitted "+name] = []any{a.fact, a.time}
	}
	var open []any
	for _, o := range s.open {
		open = append(open, []any{o.seq, o.distribution, o.invalidation})
	}
	var audit []any
	for _, a := range s.audit.kept() {
		audit = append(audit, a.view())
	}
	access := map[string]any{}
	for name, f := range s.access {
		access[name] = f.Records[slices.IndexFunc(f.Records, func(r journal.AccessRecord) bool { return r.Name == name })].Sealed
	}
	b, err := json.MarshalIndent(map[string]any{
		"seq": s.seq, "distributions": all, "domains": s.domains, "references": s.references, "aliases": s.aliases,
		"cachePolicies": s.cachePolicies, "originRequestPolicies": s.originRequestPolicies,
		"members": members, "left": s.left, "tokens": tokens, "completed": s.completed, "open": open, "audit": audit, "access": access,
	}, "", " ")
	if err != nil {
		panic(err)
	}
	return string(b)
}

// completed is all that is kept of a completion; nil: there is none.
func completed(c *completion) any {
	if c == nil {
		return nil
	}
	return []any{c.At, c.Members, c.edges()}
}
