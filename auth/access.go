package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is one thing about who may. Of several with one name the last counts.
type Record struct {
	Name   string // "access-key/WFAK…", "user/anna", "sign-outs/anna"
	Sealed []byte // nil: it is gone
}

// What begins the names of records.
const (
	keyRecord     = "access-key/"
	userRecord    = "user/"
	signOutRecord = "sign-outs/"
)

// Access is who may: keys, users, and who has signed out. All control nodes have the same. Its truth is a log of records that others keep, in
// an order that is the same for all; here is what they come to. A change is decided by AddKey and so on, which return the
// records that it takes and change nothing: they count when Apply gets them. So who decides must have applied all that is
// in the log, and nobody else may decide meanwhile.
//
// The log is read by machines that must not have what is in the records, so they are sealed, by a secret that control nodes
// alone have.
//
// Make one with NewAccess; what reads may be called concurrently with everything.
type Access struct {
	Keys  *Keys
	Users *Users

	secret []byte
	seal   cipher.AEAD
	cost   cost // of new hashes

	mu         sync.RWMutex
	signOuts   map[string]*signOuts // by user; never changed; guarded by mu
	unreadable map[string]bool      // names of records that are sealed otherwise; guarded by mu
}

// NewAccess returns one without records. secret has 32 bytes that nobody guesses. given are keys that this process was
// started with; they are in no record.
func NewAccess(secret []byte, given ...AccessKey) (*Access, error) {
	keys, err := StaticKeys(given...)
	if err != nil {
		return nil, err
	}
	a := &Access{Keys: keys, Users: newUsers(), secret: secret, cost: defaultCost, signOuts: map[string]*signOuts{}, unreadable: map[string]bool{}}
	a.seal = a.aead("warmfront access records")
	return a, nil
}

// aead seals by a key of its own for each purpose.
func (a *Access) aead(purpose string) cipher.AEAD {
	block, err := aes.NewCipher(a.derive(purpose))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	sealing, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return sealing
}

func (a *Access) derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, a.secret, nil, purpose, 32)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return key
}

func (a *Access) record(name string, v any) Record {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a record that JSON cannot hold: " + err.Error())
	}
	return Record{name, a.seal.Seal(nil, nil, b, []byte(name))}
}

// Apply takes the next record of the log. It reports an error for one that cannot be read, which is then as good as none. One
// call at a time.
func (a *Access) Apply(r Record) error {
	err := a.apply(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if delete(a.unreadable, r.Name); err != nil {
		a.unreadable[r.Name] = true
	}
	return err
}

func (a *Access) apply(r Record) (err error) {
	kind, name, _ := strings.Cut(r.Name, "/")
	switch kind + "/" {
	case keyRecord:
		var k AccessKey
		if err = a.open(r, &k); err == nil && r.Sealed != nil && k.ID != name {
			err = fmt.Errorf("%s holds another key", r.Name)
		}
		a.Keys.set(name, k, err == nil && r.Sealed != nil)
	case userRecord:
		u := &User{}
		if err = a.open(r, u); err == nil && r.Sealed != nil {
			if err = u.check(); err == nil && u.Name != name {
				err = fmt.Errorf("%s holds another user", r.Name)
			}
		}
		a.Users.set(name, u, err == nil && r.Sealed != nil)
	case signOutRecord:
		x := &signOuts{}
		if err = a.open(r, x); err != nil {
			x.Floor = time.Unix(1<<40, 0) // nobody of whom it is not known whether he has signed out is in
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if delete(a.signOuts, name); r.Sealed != nil {
			a.signOuts[name] = x
		}
	default:
		err = fmt.Errorf("%.80q is no record that this version knows", r.Name)
	}
	return err
}

func (a *Access) open(r Record, v any) error {
	if r.Sealed == nil {
		return nil
	}
	b, err := a.seal.Open(nil, nil, r.Sealed, []byte(r.Name))
	if err != nil {
		return fmt.Errorf("%s was sealed by another authority", r.Name)
	}
	return json.Unmarshal(b, v)
}

// Unreadable is how many records were sealed by a secret that is not ours.
func (a *Access) Unreadable() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.unreadable)
}

func (a *Access) isUnreadable(name string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.unreadable[name]
}

// AddKey adds a key.
func (a *Access) AddKey(k AccessKey) ([]Record, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	if _, ok := a.Keys.Find(k.ID); ok {
		return nil, fmt.Errorf("%s: %w", k.ID, ErrKeyExists)
	}
	return []Record{a.record(keyRecord+k.ID, k)}, nil
}

// RemoveKey drops a key, but not the last administrator's, and none that was given.
func (a *Access) RemoveKey(id string) ([]Record, error) {
	name := keyRecord + id
	if _, ok := a.Keys.Find(id); !ok && !a.isUnreadable(name) {
		return nil, fmt.Errorf("%s: %w", id, ErrNoSuchKey)
	}
	if a.Keys.given[id] {
		return nil, fmt.Errorf("%s: %w", id, ErrGivenKey)
	}
	for _, left := range a.Keys.List() {
		if left.ID != id && left.Role == Administrator {
			return []Record{{Name: name}}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", id, ErrLastKey)
}

// NewUser makes a user to add. It takes a while: the password is hashed.
func (a *Access) NewUser(name, password string, role Role, now time.Time) (*User, error) {
	switch {
	case !userForm.MatchString(name), name == ".", name == "..": // the dots could not be named in a URL
		return nil, fmt.Errorf("%q: %w", name, ErrUser)
	case !role.Known():
		return nil, fmt.Errorf("role %q: %w", role, ErrRole)
	}
	hash, err := a.Hash(password)
	if err != nil {
		return nil, err
	}
	return &User{Name: name, Role: role, Created: now.UTC().Truncate(time.Second), Password: hash}, nil
}

// Hash makes of a password what is kept of it. It takes a while.
func (a *Access) Hash(password string) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	return a.cost.phc(password), nil
}

// AddUser adds a user of NewUser.
func (a *Access) AddUser(u *User) ([]Record, error) {
	if _, ok := a.Users.Find(u.Name); ok {
		return nil, fmt.Errorf("%s: %w", u.Name, ErrUserExists)
	}
	if len(a.Users.List()) >= MaxUsers {
		return nil, ErrTooMany
	}
	all := []Record{a.record(userRecord+u.Name, u)}
	if a.signOutsOf(u.Name) != nil { // of somebody before
		all = append(all, Record{Name: signOutRecord + u.Name})
	}
	return all, nil
}

// ChangeUser sets a user's password, by its hash, role or both; "" leaves what is. The user's sessions end with it.
func (a *Access) ChangeUser(name, hash string, role Role) ([]Record, error) {
	if role != "" && !role.Known() {
		return nil, fmt.Errorf("role %q: %w", role, ErrRole)
	}
	old, ok := a.Users.Find(name)
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrNoSuchUser)
	}
	x := *old
	if hash != "" {
		x.Password = hash
	}
	if role != "" {
		x.Role = role
	}
	switch {
	case x == *old:
		return nil, nil
	case x.Role != Administrator && !a.Users.administratorBeside(name):
		return nil, ErrLastUser
	}
	x.Changes++
	return []Record{a.record(userRecord+name, x)}, nil
}

// RemoveUser drops a user; sessions end with it.
func (a *Access) RemoveUser(name string) ([]Record, error) {
	_, ok := a.Users.Find(name)
	switch {
	case !ok && !a.isUnreadable(userRecord+name):
		return nil, fmt.Errorf("%s: %w", name, ErrNoSuchUser)
	case !a.Users.administratorBeside(name):
		return nil, ErrLastUser
	}
	gone := []Record{{Name: userRecord + name}}
	if a.signOutsOf(name) != nil {
		gone = append(gone, Record{Name: signOutRecord + name})
	}
	return gone, nil
}

// Import returns what of keys and users has a name of which known says that there was never a record.
func (a *Access) Import(keys []AccessKey, users []*User, known func(name string) bool) (all []Record) {
	for _, k := range keys {
		if name := keyRecord + k.ID; !known(name) && !a.Keys.given[k.ID] {
			all = append(all, a.record(name, k))
		}
	}
	for _, u := range users {
		if name := userRecord + u.Name; !known(name) {
			all = append(all, a.record(name, u))
		}
	}
	return all
}

// signOuts are of one user. The last ones are kept one by one; of the others, that none who began before is in.
type signOuts struct {
	Floor time.Time   `json:",omitzero"`
	Ended []endedOnce `json:",omitempty"`
}

type endedOnce struct {
	Session string
	Began   time.Time
}

// maxSignOuts bounds signOuts.Ended. One more ends all sessions that began no later than the first of them.
const maxSignOuts = 64

func (a *Access) signOutsOf(user string) *signOuts {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.signOuts[user]
}

// over tells whether a session was signed out.
func (x *signOuts) over(session string, began time.Time) bool {
	return x != nil && (!began.After(x.Floor) ||
		slices.ContainsFunc(x.Ended, func(e endedOnce) bool { return e.Session == session }))
}

// endSession signs a session out.
func (a *Access) endSession(c *claims, now time.Time) []Record {
	x := a.signOutsOf(c.User)
	if _, ok := a.Users.Find(c.User); !ok || x.over(c.Session, c.Began) {
		return nil
	}
	next := &signOuts{}
	if x != nil {
		next.Floor, next.Ended = x.Floor, slices.Clone(x.Ended)
	}
	next.Ended = append(next.Ended, endedOnce{c.Session, c.Began})
	// What is over by itself need not be remembered; an hour for clocks that differ.
	next.Ended = slices.DeleteFunc(next.Ended, func(e endedOnce) bool { return now.After(e.Began.Add(SessionLife + time.Hour)) })
	slices.SortStableFunc(next.Ended, func(a, b endedOnce) int { return a.Began.Compare(b.Began) })
	for len(next.Ended) > maxSignOuts {
		next.Floor, next.Ended = next.Ended[0].Began, next.Ended[1:]
	}
	return []Record{a.record(signOutRecord+c.User, next)}
}

func sortedByName(all map[string]*User) []*User {
	return slices.SortedFunc(maps.Values(all), func(a, b *User) int { return strings.Compare(a.Name, b.Name) })
}
