package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/internal/durable"
)

// User is somebody who signs in at the console. A *User never changes: a new role or password makes a
// new one, which is how sessions notice that theirs is over.
type User struct {
	Name    string
	Role    Role
	Created time.Time

	Password string // its argon2id hash
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
	ErrUsersCorrupt = errors.New("the file of users cannot be understood: mend it, or move it away to have the first user made anew")
)

// Users is the store of users. Make one with OpenUsers. All methods may be called concurrently;
// readers take a snapshot and never wait for a writer.
type Users struct {
	path string
	cost cost // of new hashes

	byName atomic.Pointer[map[string]*User] // immutable once stored
	mu     sync.Mutex                       // of writers
}

type usersFile struct{ Users []*User }

// OpenUsers reads the store at path, or makes it with FirstUser in it. password, when not "", becomes
// FirstUser's, in place of the stored one; for a new store without one, a password is generated and
// returned, this once: the file has only its hash.
func OpenUsers(path, password string, now time.Time) (u *Users, generated string, err error) {
	return openUsers(path, password, now, defaultCost)
}

func openUsers(path, password string, now time.Time, c cost) (u *Users, generated string, err error) {
	u = &Users{path: path, cost: c}
	byName, err := loadUsers(path)
	if errors.Is(err, fs.ErrNotExist) {
		byName, err = map[string]*User{}, nil
		if password == "" {
			generated = newPassword()
			password = generated
		}
	}
	if err != nil {
		return nil, "", err
	}
	u.byName.Store(&byName)
	if password == "" {
		return u, "", nil
	}
	if err := u.setFirst(password, now); err != nil {
		return nil, "", err
	}
	return u, generated, nil
}

// setFirst gives FirstUser a password, and makes the user when there is none.
func (u *Users) setFirst(password string, now time.Time) error {
	first, ok := u.Find(FirstUser)
	if !ok {
		return u.Add(FirstUser, password, Administrator, now)
	}
	if matches(first.Password, password) {
		return nil
	}
	return u.Change(FirstUser, password, "")
}

func loadUsers(path string) (map[string]*User, error) {
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
	return byName, nil
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
	return slices.SortedFunc(maps.Values(*u.byName.Load()), func(a, b *User) int { return strings.Compare(a.Name, b.Name) })
}

// Add makes a user. When it returns nil the user is on disk.
func (u *Users) Add(name, password string, role Role, now time.Time) error {
	switch {
	case !userForm.MatchString(name), name == ".", name == "..": // the dots could not be named in a URL
		return fmt.Errorf("%q: %w", name, ErrUser)
	case !role.Known():
		return fmt.Errorf("role %q: %w", role, ErrRole)
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	x := &User{Name: name, Role: role, Created: now.UTC().Truncate(time.Second), Password: u.cost.phc(password)}
	return u.edit(func(all map[string]*User) error {
		if all[name] != nil {
			return fmt.Errorf("%s: %w", name, ErrUserExists)
		}
		if len(all) >= MaxUsers {
			return ErrTooMany
		}
		all[name] = x
		return nil
	})
}

// Change sets a user's password, role or both; "" leaves what is. The user's sessions end with it.
func (u *Users) Change(name, password string, role Role) error {
	if role != "" && !role.Known() {
		return fmt.Errorf("role %q: %w", role, ErrRole)
	}
	hash := ""
	if password != "" {
		if err := checkPassword(password); err != nil {
			return err
		}
		hash = u.cost.phc(password)
	}
	return u.edit(func(all map[string]*User) error {
		old := all[name]
		if old == nil {
			return fmt.Errorf("%s: %w", name, ErrNoSuchUser)
		}
		x := *old
		if hash != "" {
			x.Password = hash
		}
		if role != "" {
			x.Role = role
		}
		if x != *old {
			all[name] = &x
		}
		return nil
	})
}

// Remove drops a user; sessions end with it.
func (u *Users) Remove(name string) error {
	return u.edit(func(all map[string]*User) error {
		if all[name] == nil {
			return fmt.Errorf("%s: %w", name, ErrNoSuchUser)
		}
		delete(all, name)
		return nil
	})
}

// edit changes a copy and makes it the truth: first on disk, then in memory.
func (u *Users) edit(change func(all map[string]*User) error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	old := *u.byName.Load()
	next := maps.Clone(old)
	if err := change(next); err != nil {
		return err
	}
	if maps.Equal(next, old) {
		return nil
	}
	if len(old) > 0 && !slices.ContainsFunc(slices.Collect(maps.Values(next)), func(x *User) bool { return x.Role == Administrator }) {
		return ErrLastUser
	}
	f := usersFile{Users: slices.SortedFunc(maps.Values(next), func(a, b *User) int { return strings.Compare(a.Name, b.Name) })}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.Write(u.path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	u.byName.Store(&next)
	return nil
}
