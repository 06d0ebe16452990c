package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/auth"
)

// credentials are who may use this process: access keys for programs, users for people.
type credentials struct {
	keys     *auth.Keys
	key      auth.AccessKey // the administrator's that is announced
	users    *auth.Users
	sessions *auth.Sessions
	password string // to print: the first user's password, or where it comes from
}

func openCredentials(c Config) (*credentials, error) {
	x := &credentials{}
	if err := x.openKeys(c); err != nil {
		return nil, err
	}
	given := c.Getenv("WARMFRONT_PASSWORD")
	users, generated, err := auth.OpenUsers(filepath.Join(c.Data, "users.json"), given, time.Now())
	if err != nil {
		return nil, err
	}
	x.users, x.sessions = users, auth.NewSessions(users, time.Now)
	x.password, err = firstPassword(filepath.Join(c.Data, "first-password.json"), users, given, generated)
	return x, err
}

// openKeys takes the access key from the environment, or from the data directory, where one is
// generated at the first start.
func (x *credentials) openKeys(c Config) error {
	key, given, err := auth.FromEnv(c.Getenv, time.Now())
	if err != nil {
		return err
	}
	if given {
		x.key = key
		x.keys, err = auth.StaticKeys(key)
		return err
	}
	if x.keys, err = auth.OpenKeys(filepath.Join(c.Data, "keys.json"), time.Now()); err != nil {
		return err
	}
	for _, k := range x.keys.List() {
		if k.Role == auth.Administrator {
			x.key = k
			return nil
		}
	}
	return errors.New("keys.json holds no administrator's key: add one, or move the file away to have one made")
}

// remembered is the generated password with the hash that it had. It stands beside keys.json, which
// holds an administrator's secret in the clear too: dev is for one's own machine, and one should not
// have to find the terminal of the first start.
type remembered struct{ Password, Hash string }

// firstPassword is what is printed about the first user's password: itself as long as it is the one
// that was generated.
func firstPassword(path string, users *auth.Users, given, generated string) (string, error) {
	if given != "" {
		return "as in WARMFRONT_PASSWORD", nil
	}
	first, ok := users.Find(auth.FirstUser)
	if !ok {
		return "none: this user has been deleted", nil
	}
	if generated != "" {
		b, err := json.Marshal(remembered{generated, first.Password})
		if err != nil {
			return "", err
		}
		return generated, writeFile(path, b)
	}
	var r remembered
	b, err := os.ReadFile(path)
	if err == nil && json.Unmarshal(b, &r) == nil && r.Hash == first.Password {
		return r.Password, nil
	}
	return fmt.Sprintf("as you have set it (start once with WARMFRONT_PASSWORD=... to set another; %s)", filepath.Base(path)+" has none"), nil
}
