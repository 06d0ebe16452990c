package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// cheap hashes keep tests fast; that the cost of real ones is what it is, one test says.
var cheap = cost{memory: 8, passes: 1, threads: 1}

func testUsers(t *testing.T) *Users {
	t.Helper()
	u, _, err := openUsers(filepath.Join(t.TempDir(), "users.json"), "correct horse", now, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOpenUsers_GeneratesAPasswordOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.json")
	u, generated, err := OpenUsers(path, "", now)
	if err != nil || len(generated) != 23 {
		t.Fatalf("%q %v", generated, err)
	}
	first, ok := u.Find("admin")
	if !ok || first.Role != Administrator || !strings.HasPrefix(first.Password, "$argon2id$v=19$m=19456,t=2,p=1$") || !matches(first.Password, generated) {
		t.Errorf("%+v", first)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	again, second, err := OpenUsers(path, "", now)
	if err != nil || second != "" {
		t.Errorf("%q %v", second, err)
	}
	if x, _ := again.Find("admin"); !matches(x.Password, generated) {
		t.Error("the password is another one after opening again")
	}
}

func TestOpenUsers_GivenPasswordReplacesTheStoredOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.json")
	if _, generated, err := openUsers(path, "first password", now, cheap); err != nil || generated != "" {
		t.Fatal(generated, err)
	}
	before, _ := os.ReadFile(path)
	if _, _, err := openUsers(path, "first password", now, cheap); err != nil {
		t.Fatal(err)
	}
	if same, _ := os.ReadFile(path); string(same) != string(before) {
		t.Error("the same password was written anew")
	}
	u, _, err := openUsers(path, "second password", now, cheap)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := u.Find("admin")
	if matches(x.Password, "first password") || !matches(x.Password, "second password") {
		t.Error("the stored password stayed")
	}
	if _, _, err := openUsers(path, "short", now, cheap); !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
	if u, _, err = openUsers(path, "", now, cheap); err != nil {
		t.Fatal(err)
	}
	if x, _ := u.Find("admin"); !matches(x.Password, "second password") {
		t.Error("the password given once did not last")
	}
}

func TestOpenUsers_RefusesWhatItCannotTrust(t *testing.T) {
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
		if _, _, err := openUsers(path, "long password", now, cheap); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != c.text {
			t.Errorf("%s: the file was overwritten", name)
		}
	}
}

func TestUsers_AddChangeRemove(t *testing.T) {
	u := testUsers(t)
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
		if err := u.Add(c.name, c.password, c.role, now); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	before, _ := u.Find("ops")
	if err := u.Change("ops", "another one", Invalidator); err != nil {
		t.Fatal(err)
	}
	after, _ := u.Find("ops")
	if before == after || before.Role != Viewer || after.Role != Invalidator || !matches(after.Password, "another one") {
		t.Errorf("%+v %+v", before, after)
	}
	if err := u.Change("ops", "", Invalidator); err != nil {
		t.Error(err)
	}
	if same, _ := u.Find("ops"); same != after {
		t.Error("a change that changes nothing made another user")
	}
	for _, c := range []struct {
		err, want error
	}{
		{u.Change("nobody", "", Viewer), ErrNoSuchUser},
		{u.Change("ops", "short", ""), ErrPassword},
		{u.Change("ops", "", "owner"), ErrRole},
		{u.Remove("nobody"), ErrNoSuchUser},
		{u.Remove("admin"), ErrLastUser},
		{u.Change("admin", "", Viewer), ErrLastUser},
		{u.Remove("ops"), nil},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%v, want %v", c.err, c.want)
		}
	}
	reopened, _, err := openUsers(u.path, "", now, cheap)
	if err != nil || len(reopened.List()) != 1 {
		t.Error(err, reopened.List())
	}
}

func TestUsers_WritersDoNotLoseEachOther(t *testing.T) {
	u := testUsers(t)
	var all sync.WaitGroup
	for _, name := range strings.Split("a b c d e f g h", " ") {
		all.Go(func() {
			if err := u.Add(name, "long enough", Viewer, now); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(u.List()); n != 9 {
		t.Errorf("%d users", n)
	}
}
