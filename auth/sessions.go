package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// How long things last, and how many there may be (L9).
const (
	SessionLife    = 12 * time.Hour
	CredentialLife = 15 * time.Minute

	maxSessions    = 32 // of a user; one more ends the oldest
	maxCredentials = 64 // of a session; one more ends the oldest
	maxHashing     = 2  // passwords checked at once: each takes 19 MiB
	maxWaiting     = 32 // tries that wait for it; one more is refused
)

// What signing in can end with.
var (
	ErrWrongCredentials = errors.New("user or password is wrong")
	ErrNoSession        = errors.New("there is no such session, or it is over")
)

// TooManyTries is a refusal to look at a password.
type TooManyTries struct{ After time.Duration }

func (e *TooManyTries) Error() string {
	return fmt.Sprintf("too many tries to sign in: try again in %s", e.After.Round(time.Second))
}

// Session is one user signed in at one browser, as of one moment.
type Session struct {
	User    string
	Role    Role
	Expires time.Time
}

// Credentials are an access key for CredentialLife.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// Sessions knows who is signed in. It lives in memory: a restart signs everybody out. Ids of sessions
// and session tokens are kept as hashes only. A session ends when it is over, when it is signed out,
// and when its user is deleted or gets another role or password.
//
// Tries to sign in are bounded by user (10, then one in 30 s) and by address (20, then one in 10 s). So
// somebody who keeps guessing at a user's password keeps that user from signing in meanwhile; access
// keys and sessions go on.
//
// Make one with NewSessions; all methods may be called concurrently.
type Sessions struct {
	users *Users
	now   func() time.Time

	perUser, perAddress *throttle
	hashing, waiting    chan struct{} // semaphores
	nobody              string        // a hash to compare with when there is no such user

	mu          sync.Mutex
	sessions    map[digest]*session    // guarded by mu
	credentials map[string]*credential // by access key id; guarded by mu
}

type digest [sha256.Size]byte

type session struct {
	id          digest
	user        *User // as signed in
	began       time.Time
	credentials []*credential // oldest first
}

type credential struct {
	key     AccessKey
	token   digest
	expires time.Time
	of      *session
}

// NewSessions returns a table without sessions. now is time.Now when nil.
func NewSessions(users *Users, now func() time.Time) *Sessions {
	if now == nil {
		now = time.Now
	}
	return &Sessions{
		users: users, now: now,
		perUser:    newThrottle(10, 30*time.Second),
		perAddress: newThrottle(20, 10*time.Second),
		hashing:    make(chan struct{}, maxHashing),
		waiting:    make(chan struct{}, maxWaiting),
		nobody:     users.cost.phc(newPassword()),
		sessions:   map[digest]*session{}, credentials: map[string]*credential{},
	}
}

// SignIn begins a session. id is the secret that names it, for the browser's cookie. Errors:
// ErrWrongCredentials, *TooManyTries, and ctx's.
func (s *Sessions) SignIn(ctx context.Context, user, password, address string) (id string, _ Session, err error) {
	now := s.now()
	from := network(address)
	if wait, ok := s.perAddress.take(from, now); !ok {
		return "", Session{}, &TooManyTries{wait}
	}
	if wait, ok := s.perUser.take(user, now); !ok {
		return "", Session{}, &TooManyTries{wait}
	}
	found, err := s.verify(ctx, user, password)
	if err != nil {
		return "", Session{}, err
	}
	s.perAddress.giveBack(from)
	s.perUser.giveBack(user)

	id = token()
	x := &session{id: digestOf(id), user: found, began: now}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(found, now)
	s.sessions[x.id] = x
	return id, x.view(), nil
}

// verify takes as long for a user that does not exist as for a wrong password.
func (s *Sessions) verify(ctx context.Context, user, password string) (*User, error) {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return nil, &TooManyTries{time.Second}
	}
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	found, ok := s.users.Find(user)
	hash := s.nobody
	if ok {
		hash = found.Password
	}
	if len(password) > maxPassword || !matches(hash, password) || !ok {
		return nil, ErrWrongCredentials
	}
	return found, nil
}

// makeRoom drops what is over, and the user's oldest session when there are too many. With s.mu.
func (s *Sessions) makeRoom(user *User, now time.Time) {
	var oldest *session
	n := 0
	for _, x := range s.sessions {
		switch {
		case s.over(x, now):
			s.drop(x)
		case x.user.Name == user.Name:
			if n++; oldest == nil || x.began.Before(oldest.began) {
				oldest = x
			}
		}
	}
	if n >= maxSessions {
		s.drop(oldest)
	}
}

// Renew returns the session with fresh credentials, or ErrNoSession.
func (s *Sessions) Renew(id string) (Session, Credentials, error) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[digestOf(id)]
	if x == nil {
		return Session{}, Credentials{}, ErrNoSession
	}
	if s.over(x, now) {
		s.drop(x)
		return Session{}, Credentials{}, ErrNoSession
	}
	c := Credentials{
		AccessKeyID:     "ASIA" + random(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
		SecretAccessKey: random(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
		SessionToken:    token(),
		Expiration:      now.Add(CredentialLife),
	}
	if end := x.began.Add(SessionLife); c.Expiration.After(end) {
		c.Expiration = end
	}
	if len(x.credentials) >= maxCredentials {
		delete(s.credentials, x.credentials[0].key.ID)
		x.credentials = append(x.credentials[:0], x.credentials[1:]...)
	}
	made := &credential{
		key:   AccessKey{ID: c.AccessKeyID, Secret: c.SecretAccessKey, User: x.user.Name, Role: x.user.Role, Created: now},
		token: digestOf(c.SessionToken), expires: c.Expiration, of: x,
	}
	x.credentials = append(x.credentials, made)
	s.credentials[made.key.ID] = made
	return x.view(), c, nil
}

// SignOut ends a session and its credentials; one that is not there is no error.
func (s *Sessions) SignOut(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[digestOf(id)]; x != nil {
		s.drop(x)
	}
}

// Lookup finds a session's credentials, for Gate; chain it behind Keys.Lookup with Chain.
func (s *Sessions) Lookup(accessKeyID, sessionToken string) (AccessKey, error) {
	if sessionToken == "" {
		return AccessKey{}, sigv4.ErrUnknownKey
	}
	now := s.now()
	given := digestOf(sessionToken)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.credentials[accessKeyID]
	switch {
	case c == nil || subtle.ConstantTimeCompare(c.token[:], given[:]) != 1:
		return AccessKey{}, sigv4.ErrUnknownKey
	case s.over(c.of, now) || !now.Before(c.expires):
		return AccessKey{}, sigv4.ErrExpiredToken
	}
	return c.key, nil
}

// over tells whether a session has ended: by time, or because its user is not who it was.
func (s *Sessions) over(x *session, now time.Time) bool {
	user, ok := s.users.Find(x.user.Name)
	return !ok || user != x.user || !now.Before(x.began.Add(SessionLife))
}

// drop forgets a session. With s.mu.
func (s *Sessions) drop(x *session) {
	delete(s.sessions, x.id)
	for _, c := range x.credentials {
		delete(s.credentials, c.key.ID)
	}
}

func (x *session) view() Session {
	return Session{User: x.user.Name, Role: x.user.Role, Expires: x.began.Add(SessionLife)}
}

// digestOf is how secrets that name something are kept: a look into memory gives none away, and
// finding one by it takes no time that depends on the secret.
func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func token() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
