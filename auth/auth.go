// Package auth knows who may: access keys, the users they belong to, and the roles of those users.
//
// An access key is an id, which is public, and a secret, which signs (auth/sigv4). A signature is an HMAC, so whoever
// checks one needs the secret itself, a hash of it would not do: keys are kept sealed, not hashed.
//
//	access, err := auth.NewAccess(secret)
//	gate := &auth.Gate{Services: []string{"cloudfront"}, Lookup: access.Keys.Lookup}
//	…
//	key, body, err := gate.Admit(w, r)
//	if err == nil && !key.Role.May("CreateInvalidation") { … }
//
// Roles are judged by the name of the operation alone. A role that is not known may do nothing.
package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Role is what a user may do.
type Role string

// The roles. Each may do what the one before it may.
const (
	Viewer        Role = "viewer"        // read everything
	Invalidator   Role = "invalidator"   // and create invalidations: for a CI job
	Administrator Role = "administrator" // everything
)

// Roles lists all roles, least first.
var Roles = []Role{Viewer, Invalidator, Administrator}

// May tells whether the role allows an operation of CloudFront's API, by its name.
func (r Role) May(operation string) bool {
	switch r {
	case Administrator:
		return true
	case Invalidator:
		return reads(operation) || operation == "CreateInvalidation" || operation == "CreateInvalidationForDistributionTenant"
	case Viewer:
		return reads(operation)
	}
	return false
}

func reads(operation string) bool {
	for _, verb := range []string{"Get", "List", "Describe"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

// AccessKey is one key of one user.
type AccessKey struct {
	ID      string
	Secret  string
	User    string
	Role    Role
	Created time.Time
}

// What can be wrong with keys.
var (
	ErrKeyID     = errors.New("an access key id has 4 to 128 letters, digits and underscores")
	ErrSecret    = errors.New("a secret access key has 8 to 128 printable ASCII characters without blanks")
	ErrUser      = errors.New("a user name has 1 to 64 letters, digits and any of _+=,.@-")
	ErrRole      = errors.New("the role is none of viewer, invalidator, administrator")
	ErrKeyExists = errors.New("an access key with this id exists")
	ErrNoSuchKey = errors.New("there is no access key with this id")
	ErrLastKey   = errors.New("the last administrator's key cannot be removed: nobody could make another")
	ErrGivenKey  = errors.New("this access key comes from the environment of a control node: take it away there")
)

var (
	idForm     = regexp.MustCompile(`^[A-Za-z0-9_]{4,128}$`)
	secretForm = regexp.MustCompile(`^[!-~]{8,128}$`)
	userForm   = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
)

// Check tells what is wrong with a key's form, without ever naming the secret.
func (k AccessKey) Check() error {
	switch {
	case !idForm.MatchString(k.ID):
		return fmt.Errorf("%q: %w", k.ID, ErrKeyID)
	case !secretForm.MatchString(k.Secret):
		return fmt.Errorf("key %s: %w", k.ID, ErrSecret)
	case !userForm.MatchString(k.User):
		return fmt.Errorf("key %s: user %q: %w", k.ID, k.User, ErrUser)
	case k.Role != Viewer && k.Role != Invalidator && k.Role != Administrator:
		return fmt.Errorf("key %s: role %q: %w", k.ID, k.Role, ErrRole)
	}
	return nil
}

// NewAccessKey makes a key as long as AWS's: 20 and 40 characters. Its prefix differs from AWS's, so
// that tools which look for leaked AWS keys do not cry wolf.
func NewAccessKey(user string, role Role, now time.Time) (AccessKey, error) {
	k := AccessKey{
		ID:      "WFAK" + random(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
		Secret:  random(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
		User:    user,
		Role:    role,
		Created: now.UTC().Truncate(time.Second),
	}
	return k, k.Check()
}

// random draws from an alphabet whose length divides 256, so that each letter is equally likely.
func random(n int, alphabet string) string {
	if 256%len(alphabet) != 0 {
		panic("BUG: the alphabet's length does not divide 256")
	}
	b := make([]byte, n)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// Names of the variables that give a key instead of a generated one.
const (
	EnvKeyID  = "WARMFRONT_ACCESS_KEY_ID"
	EnvSecret = "WARMFRONT_SECRET_ACCESS_KEY"
)

// FromEnv reads an administrator's key from the environment. ok is false when none is given; half a
// key is an error.
func FromEnv(getenv func(string) string, now time.Time) (key AccessKey, ok bool, err error) {
	id, secret := getenv(EnvKeyID), getenv(EnvSecret)
	switch {
	case id == "" && secret == "":
		return AccessKey{}, false, nil
	case id == "":
		return AccessKey{}, false, fmt.Errorf("%s is set and %s is not", EnvSecret, EnvKeyID)
	case secret == "":
		return AccessKey{}, false, fmt.Errorf("%s is set and %s is not", EnvKeyID, EnvSecret)
	}
	key = AccessKey{ID: id, Secret: secret, User: "environment", Role: Administrator, Created: now.UTC().Truncate(time.Second)}
	if err := key.Check(); err != nil {
		return AccessKey{}, false, fmt.Errorf("%s, %s: %w", EnvKeyID, EnvSecret, err)
	}
	return key, true, nil
}
