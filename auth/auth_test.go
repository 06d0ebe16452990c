package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/cloudfront/wire"
)

var now = time.Date(2026, 5, 14, 12, 0, 0, 999, time.UTC)

func TestRole_May(t *testing.T) {
	for _, c := range []struct {
		operation                          string
		viewer, invalidator, administrator bool
	}{
		{"GetDistribution", true, true, true},
		{"ListInvalidations", true, true, true},
		{"DescribeFunction", true, true, true},
		{"ListTagsForResource", true, true, true},
		{"CreateInvalidation", false, true, true},
		{"CreateInvalidationForDistributionTenant", false, true, true},
		{"CreateDistribution", false, false, true},
		{"TagResource", false, false, true},
		{"TestFunction", false, false, true},
		{"", false, false, true},
	} {
		if Viewer.May(c.operation) != c.viewer || Invalidator.May(c.operation) != c.invalidator || Administrator.May(c.operation) != c.administrator {
			t.Errorf("%+v", c)
		}
		if Role("owner").May(c.operation) || Role("").May(c.operation) {
			t.Errorf("an unknown role may %s", c.operation)
		}
	}
}

// A viewer changes nothing: every operation that is not a GET is either a list or refused.
func TestRole_ViewerNeverWrites(t *testing.T) {
	for _, op := range wire.Operations {
		if Viewer.May(op.Name) && (op.Method == "PUT" || op.Method == "DELETE") {
			t.Errorf("a viewer may %s", op.Name)
		}
		if op.Method == "GET" && !Viewer.May(op.Name) {
			t.Errorf("a viewer may not %s", op.Name)
		}
	}
}

func TestNewAccessKey(t *testing.T) {
	a, err := NewAccessKey("ci", Invalidator, now)
	if err != nil || len(a.ID) != 20 || len(a.Secret) != 40 || a.User != "ci" || a.Role != Invalidator || !a.Created.Equal(now.Truncate(time.Second)) {
		t.Errorf("%+v %v", a, err)
	}
	if b, _ := NewAccessKey("ci", Invalidator, now); b.ID == a.ID || b.Secret == a.Secret {
		t.Error("two keys are alike")
	}
	if _, err := NewAccessKey("", Viewer, now); !errors.Is(err, ErrUser) {
		t.Error(err)
	}
	if _, err := NewAccessKey("ci", "root", now); !errors.Is(err, ErrRole) {
		t.Error(err)
	}
}

func TestFromEnv(t *testing.T) {
	for _, c := range []struct {
		id, secret string
		ok         bool
		says       string
	}{
		{"", "", false, ""},
		{"AKIDCI", "averysecretthing", true, ""},
		{"AKIDCI", "", false, EnvSecret + " is not"},
		{"", "averysecretthing", false, EnvKeyID + " is not"},
		{"AKID CI", "averysecretthing", false, ErrKeyID.Error()},
		{"AKIDCI", "s3cr t", false, ErrSecret.Error()},
	} {
		env := map[string]string{EnvKeyID: c.id, EnvSecret: c.secret}
		key, ok, err := FromEnv(func(n string) string { return env[n] }, now)
		if ok != c.ok || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v %v", c, ok, err)
		}
		if err != nil && c.secret != "" && strings.Contains(err.Error(), c.secret) {
			t.Errorf("the error shows the secret: %v", err)
		}
		if ok && (key.ID != c.id || key.Secret != c.secret || key.Role != Administrator) {
			t.Errorf("%+v", key)
		}
	}
}

func TestKeys_Lookup(t *testing.T) {
	key := AccessKey{ID: "AKIDTEST", Secret: "averysecretthing", User: "u", Role: Viewer}
	k, err := StaticKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Lookup("AKIDTEST", ""); got != key || err != nil {
		t.Error(got, err)
	}
	if _, err := k.Lookup("AKIDOTHER", ""); err != sigv4.ErrUnknownKey {
		t.Error(err)
	}
	if _, err := k.Lookup("AKIDTEST", "token"); err != sigv4.ErrUnknownKey {
		t.Error("a lasting key passed as a session's:", err)
	}
	if _, err := StaticKeys(key, key); !errors.Is(err, ErrKeyExists) {
		t.Error(err)
	}
}

// What cannot be used is refused by name and left as it is.
func TestReadKeys_RefusesAndLosesNothing(t *testing.T) {
	good := `{"AccessKeys": [{"ID": "AKIDTEST", "Secret": "averysecretthing", "User": "u", "Role": "viewer", "Created": "2026-05-14T12:00:00Z"}]}`
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		want       error
	}{
		{"good", good, 0o600, nil},
		{"readable by the group", good, 0o640, ErrFileOpen},
		{"readable by all", good, 0o644, ErrFileOpen},
		{"empty", "", 0o600, ErrFileCorrupt},
		{"cut off", good[:60], 0o600, ErrFileCorrupt},
		{"garbage after", good + "x", 0o600, ErrFileCorrupt},
		{"unknown field", strings.Replace(good, "Role", "Rolle", 1), 0o600, ErrFileCorrupt},
		{"unknown role", strings.Replace(good, "viewer", "owner", 1), 0o600, ErrRole},
		{"short secret", strings.Replace(good, "averysecretthing", "short", 1), 0o600, ErrSecret},
	} {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(path); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.text {
			t.Errorf("%s: the file was changed: %v", c.name, err)
		}
	}
	if _, err := ReadKeys(filepath.Join(t.TempDir(), "no", "keys.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a missing directory went unnoticed")
	}
}
