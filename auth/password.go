package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Passwords are stored as argon2id hashes in PHC form, each with its salt and what it cost:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//
// The cost of new ones is what OWASP recommends for servers: 19 MiB and two passes, some 25 ms. Old
// ones are checked at the cost that they were made with.

// ErrPassword is a password that may not be set.
var ErrPassword = errors.New("a password has 8 to 256 characters")

const (
	minPassword, maxPassword = 8, 256
	saltLength, hashLength   = 16, 32
	maxHashMemory            = 1 << 20 // KiB: a hash that asks for more is not ours
)

// cost of a hash: passes over memory KiB.
type cost struct {
	memory, passes uint32
	threads        uint8
}

var defaultCost = cost{memory: 19 << 10, passes: 2, threads: 1}

func checkPassword(password string) error {
	if len(password) < minPassword || len(password) > maxPassword {
		return ErrPassword
	}
	return nil
}

// NewPassword makes one that nobody guesses and everybody can type: 100 bits.
func NewPassword() string {
	p := random(20, "abcdefghijkmnpqrstuvwxyz23456789")
	return p[:5] + "-" + p[5:10] + "-" + p[10:15] + "-" + p[15:]
}

// phc hashes a password.
func (c cost) phc(password string) string {
	salt := make([]byte, saltLength)
	rand.Read(salt) // never fails
	hash := argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, hashLength)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.passes, c.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash))
}

// parsePHC takes a hash apart; ok is false when it is not one of ours.
func parsePHC(phc string) (c cost, salt, hash []byte, ok bool) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, false
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.threads); n != 3 || err != nil {
		return c, nil, nil, false
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	hash, errHash := base64.RawStdEncoding.DecodeString(parts[5])
	ok = errSalt == nil && errHash == nil && len(salt) >= 8 && len(hash) == hashLength &&
		c.memory >= 8 && c.memory <= maxHashMemory && c.passes >= 1 && c.passes <= 64 && c.threads >= 1
	return c, salt, hash, ok
}

// matches tells whether password is the one that was hashed. It takes as long for a wrong one.
func matches(phc, password string) bool {
	c, salt, want, ok := parsePHC(phc)
	if !ok {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, hashLength)
	return subtle.ConstantTimeCompare(got, want) == 1
}
