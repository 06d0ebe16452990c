package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cheap hashes keep tests fast; that the cost of real ones is what it is, one test says.
var cheap = cost{memory: 8, passes: 1, threads: 1}

func TestReadUsers_RefusesWhatItCannotTrust(t *testing.T) {
	hash := cheap.phc("password")
	user := `{"Name":"a","Role":"viewer","Created":"2026-05-14T12:00:00Z","Password":"` + hash + `"}`
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want error
	}{
		"others may read": {`{"Users":[` + user + `]}`, 0o640, ErrUsersOpen},
		"no JSON":         {`{"Users":`, 0o600, ErrUsersCorrupt},
		"misspelt":        {`{"User":[]}`, 0o600, ErrUsersCorrupt},
		"text after":      {`{"Users":[]} x`, 0o600, ErrUsersCorrupt},
		"null":            {`{"Users":[null]}`, 0o600, ErrUsersCorrupt},
		"unknown role":    {`{"Users":[` + strings.Replace(user, "viewer", "owner", 1) + `]}`, 0o600, ErrRole},
		"twice":           {`{"Users":[` + user + `,` + user + `]}`, 0o600, ErrUserExists},
		"plain password":  {`{"Users":[` + strings.Replace(user, hash, "password", 1) + `]}`, 0o600, ErrUsersCorrupt},
		"greedy hash":     {`{"Users":[` + strings.Replace(user, "m=8", "m=99999999", 1) + `]}`, 0o600, ErrUsersCorrupt},
	} {
		path := filepath.Join(t.TempDir(), "users.json")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadUsers(path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != c.text {
			t.Errorf("%s: the file was overwritten", name)
		}
	}
}

func TestUsers_AddChangeRemove(t *testing.T) {
	l := testLedger(t)
	for _, c := range []struct {
		name, password string
		role           Role
		want           error
	}{
		{"ops", "long enough", Viewer, nil},
		{"ops", "long enough", Viewer, ErrUserExists},
		{"o ps", "long enough", Viewer, ErrUser},
		{"..", "long enough", Viewer, ErrUser},
		{"x", "long enough", "owner", ErrRole},
		{"x", "short", Viewer, ErrPassword},
		{"x", strings.Repeat("x", 257), Viewer, ErrPassword},
	} {
		if err := l.addUser(c.name, c.password, c.role); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	before, _ := l.Users.Find("ops")
	if err := l.changeUser("ops", "another one", Invalidator); err != nil {
		t.Fatal(err)
	}
	after, _ := l.Users.Find("ops")
	if before == after || before.Role != Viewer || after.Role != Invalidator || !after.Has("another one") {
		t.Errorf("%+v %+v", before, after)
	}
	if all, err := l.ChangeUser("ops", "", Invalidator); err != nil || all != nil {
		t.Errorf("a change that changes nothing: %v, %v", all, err)
	}
	for _, c := range []struct {
		err, want error
	}{
		{l.changeUser("nobody", "", Viewer), ErrNoSuchUser},
		{l.changeUser("ops", "short", ""), ErrPassword},
		{l.changeUser("ops", "", "owner"), ErrRole},
		{l.do(l.RemoveUser("nobody")), ErrNoSuchUser},
		{l.do(l.RemoveUser("admin")), ErrLastUser},
		{l.changeUser("admin", "", Viewer), ErrLastUser},
		{l.do(l.RemoveUser("ops")), nil},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%v, want %v", c.err, c.want)
		}
	}
	if n := len(l.Users.List()); n != 1 {
		t.Errorf("%d users", n)
	}
}

func TestNewUser_Cost(t *testing.T) {
	a, err := NewAccess(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	u, err := a.NewUser("admin", NewPassword(), Administrator, now)
	if err != nil || !strings.HasPrefix(u.Password, "$argon2id$v=19$m=19456,t=2,p=1$") || len(NewPassword()) != 23 {
		t.Errorf("%+v, %v", u, err)
	}
}
