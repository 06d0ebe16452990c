package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// Bearer lets in who shows the secret of an access key itself, where clients cannot sign: the method PURGE. Who may
// listen on the way then has the key, so it is for connections on which nobody can.
//
// Wrong secrets are bounded by key and address: 20, then one in 10 s. So whoever guesses keeps nobody out who comes
// from elsewhere, and behind one proxy nobody with another key. Make one with NewBearer; it may be used concurrently.
type Bearer struct {
	lookup Lookup
	now    func() time.Time
	wrong  *throttle // by id and network
}

// NewBearer returns one that knows the keys of lookup. now is time.Now when nil.
func NewBearer(lookup Lookup, now func() time.Time) *Bearer {
	if now == nil {
		now = time.Now
	}
	return &Bearer{lookup: lookup, now: now, wrong: newThrottle(20, 10*time.Second)}
}

// Admit returns the key. Errors: ErrWrongCredentials, *TooManyTries, and what the lookup fails with. Apart from the lookup it takes as
// long for a key that there is not as for a wrong secret, and for one that is almost right as for any other.
func (b *Bearer) Admit(id, secret, address string) (AccessKey, error) {
	now, from := b.now(), id+" "+network(address)
	if wait, spent := b.wrong.spent(from, now); spent {
		return AccessKey{}, &TooManyTries{wait}
	}
	key, err := b.lookup(id, "")
	if err != nil && !errors.Is(err, sigv4.ErrUnknownKey) {
		return AccessKey{}, err
	}
	is, shown := sha256.Sum256([]byte(key.Secret)), sha256.Sum256([]byte(secret))
	if same := subtle.ConstantTimeCompare(is[:], shown[:]) == 1; err != nil || !same || key.Secret == "" {
		b.wrong.take(from, now)
		return AccessKey{}, ErrWrongCredentials
	}
	return key, nil
}
