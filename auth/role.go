package auth

import (
	"errors"
	"slices"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// Known tells whether there is such a role.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// AtLeast tells whether the role may do all that least may. A role that is not known is less than any.
func (r Role) AtLeast(least Role) bool {
	need := slices.Index(Roles, least)
	return need >= 0 && slices.Index(Roles, r) >= need
}

// Lookup finds an access key; see Gate.
type Lookup func(accessKeyID, sessionToken string) (AccessKey, error)

// Chain asks one after the other until one knows the key.
func Chain(all ...Lookup) Lookup {
	return func(id, token string) (AccessKey, error) {
		for _, lookup := range all {
			if key, err := lookup(id, token); !errors.Is(err, sigv4.ErrUnknownKey) {
				return key, err
			}
		}
		return AccessKey{}, sigv4.ErrUnknownKey
	}
}
