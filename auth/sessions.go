package auth

import (
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// How long things last, and how many there may be (L9).
const (
	SessionLife    = 12 * time.Hour
	CredentialLife = 15 * time.Minute

	maxHashing = 2  // passwords checked at once: each takes 19 MiB
	maxWaiting = 32 // tries that wait for it; one more is refused
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

// Sessions knows who is signed in, at whatever control node: all that is known of a session is in what its browser keeps, which
// only control nodes can make and read, but that it was signed out, which Access has. A session ends when it is over, when it is signed
// out, and when its user is deleted or gets another role or password.
//
// What browsers keep is sealed by keys that are derived for each day from what control nodes share.
//
// Tries to sign in are bounded by user (10, then one in 30 s) and by address (20, then one in 10 s), at each node. So
// somebody who keeps guessing at a user's password keeps that user from signing in meanwhile; access
// keys and sessions go on.
//
// Make one with NewSessions; all methods may be called concurrently.
type Sessions struct {
	access *Access
	log    Log
	now    func() time.Time

	perUser, perAddress *throttle
	hashing, waiting    chan struct{} // semaphores
	nobody              string        // a hash to compare with when there is no such user
}

// Log is the log of records that Access stands on.
type Log interface {
	// Sure returns when Access has all that was confirmed before, to whomever.
	Sure(ctx context.Context) error

	// Change brings what decide returns into the log, and to Access. decide may run several times.
	Change(ctx context.Context, decide func() []Record) error
}

// claims are what a session is: sealed, in a browser's cookie, and beside a session's credentials.
type claims struct {
	Session string // its name, random
	User    string
	As      string // who the user was then: ends the session when that is no more
	Began   time.Time

	// Of credentials.
	Key     string    `json:",omitempty"` // the access key's id
	Expires time.Time `json:",omitzero"`
}

// NewSessions returns the sessions of access, which stands on log. now is time.Now when nil.
func NewSessions(access *Access, log Log, now func() time.Time) *Sessions {
	if now == nil {
		now = time.Now
	}
	return &Sessions{
		access: access, log: log, now: now,
		perUser:    newThrottle(10, 30*time.Second),
		perAddress: newThrottle(20, 10*time.Second),
		hashing:    make(chan struct{}, maxHashing),
		waiting:    make(chan struct{}, maxWaiting),
		nobody:     access.cost.phc(NewPassword()),
	}
}

// SignIn begins a session. id is the secret that is the session, for the browser's cookie. Errors:
// ErrWrongCredentials, *TooManyTries, the log's, and ctx's.
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
	c := &claims{Session: random(20, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), User: found.Name, As: found.as(), Began: now.UTC()}
	return s.seal("session", c), view(found, c), nil
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
	if err := s.log.Sure(ctx); err != nil {
		return nil, err
	}
	found, ok := s.access.Users.Find(user)
	hash := s.nobody
	if ok {
		hash = found.Password
	}
	if len(password) > maxPassword || !matches(hash, password) || !ok {
		return nil, ErrWrongCredentials
	}
	return found, nil
}

// Renew returns the session with fresh credentials, or ErrNoSession, or the log's error.
func (s *Sessions) Renew(ctx context.Context, id string) (Session, Credentials, error) {
	c := s.open("session", id)
	if c == nil {
		return Session{}, Credentials{}, ErrNoSession
	}
	if err := s.log.Sure(ctx); err != nil {
		return Session{}, Credentials{}, err
	}
	user, err := s.user(c)
	if err != nil {
		return Session{}, Credentials{}, ErrNoSession
	}
	own := *c
	own.Key, own.Expires = "ASIA"+random(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), s.now().UTC().Add(CredentialLife)
	if end := c.Began.Add(SessionLife); own.Expires.After(end) {
		own.Expires = end
	}
	made := Credentials{AccessKeyID: own.Key, SessionToken: s.seal("credentials", &own), Expiration: own.Expires}
	made.SecretAccessKey = s.secretOf(made.SessionToken)
	return view(user, c), made, nil
}

// SignOut ends a session and its credentials; one that is not there is no error.
func (s *Sessions) SignOut(ctx context.Context, id string) error {
	c := s.open("session", id)
	if c == nil || !s.now().Before(c.Began.Add(SessionLife)) {
		return nil
	}
	return s.log.Change(ctx, func() []Record { return s.access.endSession(c, s.now()) })
}

// Lookup finds a session's credentials, for Gate; chain it behind Keys.Lookup with Chain. It answers from what Access has.
func (s *Sessions) Lookup(accessKeyID, sessionToken string) (AccessKey, error) {
	if sessionToken == "" {
		return AccessKey{}, sigv4.ErrUnknownKey
	}
	c := s.open("credentials", sessionToken)
	if c == nil || c.Key != accessKeyID {
		return AccessKey{}, sigv4.ErrUnknownKey
	}
	user, err := s.user(c)
	if err != nil {
		return AccessKey{}, err
	}
	if !s.now().Before(c.Expires) {
		return AccessKey{}, sigv4.ErrExpiredToken
	}
	return AccessKey{ID: c.Key, Secret: s.secretOf(sessionToken), User: user.Name, Role: user.Role, Created: c.Began}, nil
}

// user returns whose session it is. ErrExpiredToken: it has ended, by time or because its user is not who it was; ErrUnknownKey: it was signed out.
func (s *Sessions) user(c *claims) (*User, error) {
	user, ok := s.access.Users.Find(c.User)
	switch {
	case !ok || user.as() != c.As || !s.now().Before(c.Began.Add(SessionLife)):
		return nil, sigv4.ErrExpiredToken
	case s.access.signOutsOf(c.User).over(c.Session, c.Began):
		return nil, sigv4.ErrUnknownKey
	}
	return user, nil
}

func view(u *User, c *claims) Session {
	return Session{User: u.Name, Role: u.Role, Expires: c.Began.Add(SessionLife)}
}

// as names what a session stands on: with another role or password the user is another one, and stays another one when the role is again what it was.
func (u *User) as() string {
	sum := sha256.Sum256([]byte(u.Name + "\x00" + string(u.Role) + "\x00" + u.Password + "\x00" + strconv.Itoa(u.Changes)))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

const maxToken = 1024 // of what is opened

// seal makes a token of today's key for this kind.
func (s *Sessions) seal(kind string, c *claims) string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("BUG: claims that JSON cannot hold: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(s.daily(kind, 0).Seal(nil, nil, b, nil))
}

// open reads a token; nil: it is none of ours, or too old. No token lasts for a day, and clocks of control nodes differ by less.
func (s *Sessions) open(kind, token string) *claims {
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(token) > maxToken {
		return nil
	}
	for _, day := range []int{0, -1, 1} {
		b, err := s.daily(kind, day).Open(nil, nil, sealed, nil)
		if err != nil {
			continue
		}
		c := &claims{}
		if json.Unmarshal(b, c) != nil {
			return nil
		}
		return c
	}
	return nil
}

func (s *Sessions) daily(kind string, day int) cipher.AEAD {
	return s.access.aead("warmfront " + kind + " " + s.now().UTC().AddDate(0, 0, day).Format(time.DateOnly))
}

// secretOf is the secret key that belongs to a session token. Whoever has the token alone cannot sign with it.
func (s *Sessions) secretOf(token string) string {
	mac := hmac.New(sha256.New, s.access.derive("warmfront secret keys of sessions"))
	mac.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:30])
}
