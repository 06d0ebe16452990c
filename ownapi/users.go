package ownapi

import (
	"context"
	"net/http"

	"github.com/warmfront/warmfront/auth"
)

// Users and access keys belong together: a user's keys may not outlive the user, nor do more than the
// user may. So a user who still has such keys is neither deleted nor made less; who wants that deletes
// the keys first, and sees which machines will stop. Keys of names that are no user's are for machines.

type userBody struct {
	Name    string    `json:"name"`
	Role    auth.Role `json:"role"`
	Created instant   `json:"created"`
}

type keyBody struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret,omitempty"` // shown once, when it is made
	User    string    `json:"user"`
	Role    auth.Role `json:"role"`
	Created instant   `json:"created"`
}

type listBody[T any] struct {
	Items []T `json:"items"`
}

func listUsers(_ context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	b := listBody[userBody]{Items: []userBody{}}
	for _, u := range c.h.cfg.Access.Users.List() {
		b.Items = append(b.Items, userBody{u.Name, u.Role, instant(u.Created)})
	}
	return b, nil
}

func postUser(ctx context.Context, c *call) (any, error) {
	var in struct {
		Name     string    `json:"name"`
		Password string    `json:"password"`
		Role     auth.Role `json:"role"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	u, err := c.h.cfg.Access.NewUser(in.Name, in.Password, in.Role, c.h.cfg.Now())
	if err != nil {
		return nil, err
	}
	if err := c.changeAccess(ctx, "CreateUser", "user/"+in.Name, func() ([]auth.Record, error) { return c.h.cfg.Access.AddUser(u) }); err != nil {
		return nil, err
	}
	return c.user(in.Name)
}

func putUser(ctx context.Context, c *call) (any, error) {
	var in struct {
		Password string    `json:"password"`
		Role     auth.Role `json:"role"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	name := c.PathValue("name")
	if in.Password == "" && in.Role == "" {
		return nil, invalid("Send a new password, a new role, or both.")
	}
	hash := ""
	if in.Password != "" {
		var err error
		if hash, err = c.h.cfg.Access.Hash(in.Password); err != nil {
			return nil, err
		}
	}
	err := c.changeAccess(ctx, "UpdateUser", "user/"+name, func() ([]auth.Record, error) {
		if in.Role.Known() {
			if err := c.noKeyAbove(name, in.Role); err != nil {
				return nil, err
			}
		}
		return c.h.cfg.Access.ChangeUser(name, hash, in.Role)
	})
	if err != nil {
		return nil, err
	}
	return c.user(name)
}

func deleteUser(ctx context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	name := c.PathValue("name")
	return nil, c.changeAccess(ctx, "DeleteUser", "user/"+name, func() ([]auth.Record, error) {
		if err := c.noKeyAbove(name, ""); err != nil {
			return nil, err
		}
		return c.h.cfg.Access.RemoveUser(name)
	})
}

// changeAccess brings what decide returns to all control nodes, and into the audit trail.
func (c *call) changeAccess(ctx context.Context, action, resource string, decide func() ([]auth.Record, error)) error {
	return c.h.cfg.Control.ChangeAccess(ctx, c.by, action, resource, func(func(string) bool) ([]auth.Record, error) { return decide() })
}

// noKeyAbove refuses when a user has keys that may more than the role; "" is less than any.
func (c *call) noKeyAbove(user string, role auth.Role) error {
	if _, ok := c.h.cfg.Access.Users.Find(user); !ok {
		return auth.ErrNoSuchUser
	}
	for _, k := range c.h.cfg.Access.Keys.List() {
		if k.User == user && !role.AtLeast(k.Role) {
			return refuse(http.StatusConflict, "Conflict", "%s has the access key %s with the role %s. Delete it first.", user, k.ID, k.Role)
		}
	}
	return nil
}

func (c *call) user(name string) (any, error) {
	u, ok := c.h.cfg.Access.Users.Find(name)
	if !ok { // deleted meanwhile
		return nil, auth.ErrNoSuchUser
	}
	return userBody{u.Name, u.Role, instant(u.Created)}, nil
}

func listKeys(_ context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	b := listBody[keyBody]{Items: []keyBody{}}
	for _, k := range c.h.cfg.Access.Keys.List() {
		b.Items = append(b.Items, keyBody{ID: k.ID, User: k.User, Role: k.Role, Created: instant(k.Created)})
	}
	return b, nil
}

func postKey(ctx context.Context, c *call) (any, error) {
	var in struct {
		User string    `json:"user"`
		Role auth.Role `json:"role"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	k, err := auth.NewAccessKey(in.User, in.Role, c.h.cfg.Now())
	if err != nil {
		return nil, err
	}
	err = c.changeAccess(ctx, "CreateAccessKey", "access-key/"+k.ID, func() ([]auth.Record, error) {
		if u, ok := c.h.cfg.Access.Users.Find(in.User); ok && !u.Role.AtLeast(in.Role) {
			return nil, invalid("The user %s is %s: a key cannot be more than its user.", u.Name, u.Role)
		}
		if len(c.h.cfg.Access.Keys.List()) >= maxKeys {
			return nil, refuse(http.StatusConflict, "Conflict", "There are %d access keys, which is the limit. Delete one that is not needed.", maxKeys)
		}
		return c.h.cfg.Access.AddKey(k)
	})
	if err != nil {
		return nil, err
	}
	return keyBody{k.ID, k.Secret, k.User, k.Role, instant(k.Created)}, nil
}

const maxKeys = 1000

func deleteKey(ctx context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	id := c.PathValue("id")
	return nil, c.changeAccess(ctx, "DeleteAccessKey", "access-key/"+id, func() ([]auth.Record, error) { return c.h.cfg.Access.RemoveKey(id) })
}
