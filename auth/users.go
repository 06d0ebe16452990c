package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync/atomic"
	"time"
)

// User is somebody who signs in at the console. A *User never changes: a new role or password makes a
// new one, which is how sessions notice that theirs is over.
type User struct {
	Name    string
	Role    Role
	Created time.Time

	Password string // its argon2id hash

	Changes int `json:",omitempty"` // how often role or password were changed
}

// FirstUser is the user whom a fresh store holds, an administrator.
const FirstUser = "admin"

// EnvPassword names the variable that gives FirstUser's password.
const EnvPassword = "WARMFRONT_PASSWORD"

// MaxUsers bounds the store (L9).
const MaxUsers = 1000

// What can be wrong with users.
var (
	ErrUserExists = errors.New("a user with this name exists")
	ErrNoSuchUser = errors.New("there is no user with this name")
	ErrLastUser   = errors.New("the last administrator can neither be deleted nor become less: nobody could undo it")
	ErrTooMany    = errors.New("there are as many users as there may be")

	ErrUsersOpen    = errors.New("others than the owner may read or write the file of users: chmod 600 it, and set new passwords if it leaked")
	ErrUsersCorrupt = errors.New("the file of users cannot be understood: mend it, or move it away to go on without its users")
)

// Users are the users of Access. All methods may be called concurrently; readers take a snapshot and never wait for a writer.
type Users struct {
	byName atomic.Pointer[map[string]*User] // immutable once stored
}

type usersFile struct{ Users []*User }

func newUsers() *Users {
	u := &Users{}
	u.byName.Store(&map[string]*User{})
	return u
}

// set makes x the user with this name, or makes it none. One call at a time.
func (u *Users) set(name string, x *User, is bool) {
	next := maps.Clone(*u.byName.Load())
	if delete(next, name); is {
		next[name] = x
	}
	u.byName.Store(&next)
}

// administratorBeside tells whether there is an administrator of another name.
func (u *Users) administratorBeside(name string) bool {
	for _, x := range *u.byName.Load() {
		if x.Name != name && x.Role == Administrator {
			return true
		}
	}
	return false
}

// ReadUsers reads the file in which an earlier version kept its users. It is not changed.
func ReadUsers(path string) ([]*User, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: %w", path, info.Mode().Perm(), ErrUsersOpen)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	var f usersFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w (%v)", path, ErrUsersCorrupt, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: %w (text after the end)", path, ErrUsersCorrupt)
	}
	byName := map[string]*User{}
	for _, x := range f.Users {
		if err := x.check(); err != nil {
			return nil, fmt.Errorf("%s: %w (%w)", path, ErrUsersCorrupt, err)
		}
		if byName[x.Name] != nil {
			return nil, fmt.Errorf("%s: %w (%s: %w)", path, ErrUsersCorrupt, x.Name, ErrUserExists)
		}
		byName[x.Name] = x
	}
	return sortedByName(byName), nil
}

func (x *User) check() error {
	switch {
	case x == nil || !userForm.MatchString(x.Name):
		return ErrUser
	case !x.Role.Known():
		return fmt.Errorf("%s: role %q: %w", x.Name, x.Role, ErrRole)
	}
	if _, _, _, ok := parsePHC(x.Password); !ok {
		return fmt.Errorf("%s: the password is not an argon2id hash", x.Name)
	}
	return nil
}

// Find returns the user with this name.
func (u *Users) Find(name string) (*User, bool) {
	x, ok := (*u.byName.Load())[name]
	return x, ok
}

// List returns all users by name.
func (u *Users) List() []*User {
	return sortedByName(*u.byName.Load())
}

// Has tells whether a password is the user's. It takes a while.
func (x *User) Has(password string) bool { return matches(x.Password, password) }
