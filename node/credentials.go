package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// credentials are who may use this process: access keys for programs, users for people. All control nodes have the same, but for
// a key that the environment gives.
type credentials struct {
	access   *auth.Access
	sessions *auth.Sessions
	control  *control.Control // which has them

	key      auth.AccessKey // the administrator's that is announced
	given    bool           // it comes from the environment
	password string         // to print: the first user's password, or where it comes from
}

// newCredentials knows nobody yet but whom the environment gives.
func newCredentials(c Config, secret []byte) (*credentials, error) {
	x := &credentials{}
	key, given, err := auth.FromEnv(c.Getenv, time.Now())
	if err != nil {
		return nil, err
	}
	if x.given = given; given {
		x.key = key
		x.access, err = auth.NewAccess(secret, key)
		return x, err
	}
	x.access, err = auth.NewAccess(secret)
	return x, err
}

// Sure is auth.Log.
func (x *credentials) Sure(ctx context.Context) error { return x.control.Sure(ctx) }

// Change is auth.Log.
func (x *credentials) Change(ctx context.Context, decide func() []auth.Record) error {
	return x.control.ChangeAccess(ctx, journal.Actor{}, "", "", func(func(string) bool) ([]auth.Record, error) { return decide(), nil })
}

// lookup finds a key or a session's credentials. Before it says no, it makes sure that it knows all: they may have been made at
// another control node.
func (x *credentials) lookup(id, token string) (auth.AccessKey, error) {
	key, err := x.known(id, token)
	if !errors.Is(err, sigv4.ErrUnknownKey) && !errors.Is(err, sigv4.ErrExpiredToken) {
		return key, err
	}
	if unsure := x.control.Sure(context.Background()); unsure != nil { // which is bounded
		return auth.AccessKey{}, unsure
	}
	return x.known(id, token)
}

// known finds what is known by now.
func (x *credentials) known(id, token string) (auth.AccessKey, error) {
	return auth.Chain(x.access.Keys.Lookup, x.sessions.Lookup)(id, token)
}

// open finds out who may, once the control plane has read the journal: it takes over what an earlier version had in files, and makes the first key
// and the first user where there are none.
func (x *credentials) open(ctx context.Context, c Config, of *control.Control) error {
	x.control, x.sessions = of, auth.NewSessions(x.access, x, time.Now)
	if err := of.Sure(ctx); err != nil {
		return err
	}
	if err := x.takeOver(ctx, c); err != nil {
		return err
	}
	if err := x.openKey(ctx); err != nil {
		return err
	}
	return x.openUser(ctx, c)
}

// Files in which earlier versions kept keys and users, and what they are called when they have been taken over.
const (
	keysFile  = "keys.json"
	usersFile = "users.json"
	takenOver = ".taken-over"
)

// takeOverBatch is how many keys and users come into one entry of the journal.
const takeOverBatch = 500

// takeOver brings the keys and users of an earlier version's files into the journal. Each of several control nodes may have its own; of what
// has one name at two of them, the first that comes counts, and nothing that was removed meanwhile comes back. While the environment gives a key, the
// file of keys is left alone: an earlier version did not read it then, either, and what nobody could use is not to come back by an upgrade.
func (x *credentials) takeOver(ctx context.Context, c Config) error {
	files := []string{usersFile}
	var keys []auth.AccessKey
	if !x.given {
		var err error
		files = append(files, keysFile)
		if keys, err = auth.ReadKeys(filepath.Join(c.Data, keysFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if path := filepath.Join(c.Data, keysFile); exists(path) {
		c.Logger.Warn("the access keys in this file are left alone while the environment gives one; remove it if they are of no use any more", "file", path)
	}
	users, err := auth.ReadUsers(filepath.Join(c.Data, usersFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for part := range slices.Chunk(keys, takeOverBatch) {
		if err := x.takeOverSome(ctx, keysFile, part, nil); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(users, takeOverBatch) {
		if err := x.takeOverSome(ctx, usersFile, nil, part); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if is, ok := x.access.Keys.Find(k.ID); !ok || is.Secret != k.Secret || is.Role != k.Role {
			c.Logger.Warn("an access key of this node's file was not taken over: another has its id, or it was deleted", "key", k.ID)
		}
	}
	for _, u := range users {
		if is, ok := x.access.Users.Find(u.Name); !ok || is.Password != u.Password || is.Role != u.Role {
			c.Logger.Warn("a user of this node's file was not taken over: another has its name, with a password and role that count, or it was deleted", "user", u.Name)
		}
	}
	for _, name := range files {
		path := filepath.Join(c.Data, name)
		if err := os.Rename(path, path+takenOver); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (x *credentials) takeOverSome(ctx context.Context, from string, keys []auth.AccessKey, users []*auth.User) error {
	host, _ := os.Hostname()
	return x.control.ChangeAccess(ctx, journal.Actor{}, "TakeOverAccess", from+" of "+host, func(known func(string) bool) ([]auth.Record, error) {
		return x.access.Import(keys, users, known), nil
	})
}

// administrator returns the oldest key of one.
func (x *credentials) administrator() (auth.AccessKey, bool) {
	for _, k := range x.access.Keys.List() {
		if k.Role == auth.Administrator {
			return k, true
		}
	}
	return auth.AccessKey{}, false
}

// openKey chooses the key that is announced, and makes it where there is none.
func (x *credentials) openKey(ctx context.Context) error {
	if x.given {
		return nil
	}
	k, ok := x.administrator()
	if ok {
		x.key = k
		return nil
	}
	if n := x.access.Unreadable(); n > 0 {
		return fmt.Errorf("no access key of an administrator can be read: %d records of users and keys in the journal were sealed by another authority. "+
			"Restore the directory authority from a backup or from another control node, secret.pem in it too. If it is lost: start with %s and %s, and with %s, "+
			"and make keys and users anew", n, auth.EnvKeyID, auth.EnvSecret, auth.EnvPassword)
	}
	first, err := auth.NewAccessKey(auth.FirstUser, auth.Administrator, time.Now())
	if err != nil {
		return err
	}
	err = x.control.ChangeAccess(ctx, journal.Actor{}, "CreateAccessKey", "access-key/"+first.ID, func(func(string) bool) ([]auth.Record, error) {
		if _, ok := x.administrator(); ok { // another control node's start has made one
			return nil, nil
		}
		return x.access.AddKey(first)
	})
	if x.key, ok = x.administrator(); err == nil && !ok {
		err = errors.New("BUG: an access key was made, and is not there")
	}
	return err
}

// openUser makes the first user where there are none, and gives that the password of the environment.
func (x *credentials) openUser(ctx context.Context, c Config) error {
	given := c.Getenv(auth.EnvPassword)
	first, ok := x.access.Users.Find(auth.FirstUser)
	path := filepath.Join(c.Data, "first-password.json")
	switch {
	case given != "" && ok && first.Has(given), given == "" && len(x.access.Users.List()) > 0, given == "" && x.access.Unreadable() > 0:
	default:
		password := given
		if password == "" {
			password = auth.NewPassword()
		}
		u, err := x.access.NewUser(auth.FirstUser, password, auth.Administrator, time.Now())
		if err != nil {
			return err
		}
		if given == "" { // first of all: the user is there for good, and nobody would know the password
			b, err := json.Marshal(remembered{password, u.Password})
			if err != nil {
				return err
			}
			if err := writeFile(path, b); err != nil {
				return err
			}
		}
		if err := x.setFirst(ctx, u, given != ""); err != nil {
			return err
		}
	}
	x.password = x.firstPassword(path, given, isKept(c.Out, c.Getenv))
	return nil
}

// setFirst makes the first user, or sets its password.
func (x *credentials) setFirst(ctx context.Context, u *auth.User, always bool) error {
	return x.control.ChangeAccess(ctx, journal.Actor{}, "SetFirstPassword", "user/"+u.Name, func(func(string) bool) ([]auth.Record, error) {
		if _, ok := x.access.Users.Find(u.Name); ok && always {
			return x.access.ChangeUser(u.Name, u.Password, "")
		}
		if len(x.access.Users.List()) > 0 && !always { // another control node's start has made it
			return nil, nil
		}
		return x.access.AddUser(u)
	})
}

// remembered is the generated password with the hash that it had. It stands in the clear, as the announced key does in
// aws.env: dev is for one's own machine, and one should not have to find the terminal of the first start.
type remembered struct{ Password, Hash string }

// firstPassword is what is printed about the first user's password: itself as long as it is the one
// that was generated, or, discreet, where it lies.
func (x *credentials) firstPassword(path, given string, discreet bool) string {
	if given != "" {
		return "as in " + auth.EnvPassword
	}
	first, ok := x.access.Users.Find(auth.FirstUser)
	switch {
	case !ok && x.access.Unreadable() > 0:
		return fmt.Sprintf("none that can be read with this authority (start once with %s=... to make this user anew)", auth.EnvPassword)
	case !ok:
		return "none: this user has been deleted"
	}
	var r remembered
	b, err := os.ReadFile(path)
	switch known := err == nil && json.Unmarshal(b, &r) == nil && r.Hash == first.Password; {
	case known && discreet:
		return "as in " + path
	case known:
		return r.Password
	}
	return fmt.Sprintf("as you have set it, or in %s of the control node that was the first (start once with %s=... to set another)", filepath.Base(path), auth.EnvPassword)
}
