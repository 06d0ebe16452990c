package edge

import (
	"hash/maphash"

	"github.com/warmfront/warmfront/invalidation"
)

// The account of a pace: what its invalidation has dropped, by URL, until an origin has answered for it.

// url names an object for its pace: all its variants and slices together.
func (a *pacing) url(s *invalidation.Subject) uint64 {
	h := maphash.String(a.e.flights.seed, s.Path)
	if !s.QueryIgnored && s.Query != "" {
		h = h*31 + maphash.String(a.e.flights.seed, s.Query)
	}
	return h
}

// owe notes that a rule is about to have an object dropped. forgive it when it was not, because somebody was faster.
func (e *Edge) owe(distribution string, rule uint64, s *invalidation.Subject) (p *pace, url uint64) {
	if rule == 0 {
		return nil, 0
	}
	x := e.snap.Load().sites.of(distribution)
	if x == nil || len(x.paces) == 0 {
		return nil, 0
	}
	if p = x.pacedBy(rule); p == nil {
		return nil, 0
	}
	url = e.pacing.url(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, 0
	}
	p.lost++
	p.write(url)
	return p, url
}

// write puts one more on the account. With p.mu.
func (p *pace) write(url uint64) {
	if n := p.owed[url]; n > 0 {
		p.owed[url] = n + 1
	} else if p.all.owed.Add(1) > maxOwed {
		p.all.owed.Add(-1)
		p.many = true
	} else {
		p.owed[url] = 1
	}
}

// met counts an object that the pace's invalidation has marked stale.
func (p *pace) met() {
	if p != nil {
		p.mu.Lock()
		p.lost++
		p.mu.Unlock()
	}
}

// still notes that what was to renew a marked object has failed: it is not marked any more, but owed.
func (p *pace) still(url uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended && p.owed[url] == 0 {
		p.write(url)
	}
}

func (p *pace) forgive(url uint64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost--
	p.strike(url)
}

// paid says that an origin has answered for the URL.
func (p *pace) paid(url uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.back++
	p.strike(url)
}

// strike takes one off. With p.mu.
func (p *pace) strike(url uint64) {
	switch n := p.owed[url]; n {
	case 0:
	case 1:
		delete(p.owed, url)
		p.all.owed.Add(-1)
	default:
		p.owed[url] = n - 1
	}
}

// owes tells whether a question for the URL is one that the invalidation has caused; stored: there is something alive
// under the key that is asked for.
func (p *pace) owes(url uint64, stored bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owed[url] > 0 || p.many && !p.ended && !stored
}
