package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What goes into the log of the machine names no secret, and says where they lie; whatever else it is written to shows all that one needs.
func TestAnnounce_NoSecretInTheLogOfTheMachine(t *testing.T) {
	for name, stream := range map[string]func(own string) string{
		"the journal's":                       func(own string) string { return own },
		"the journal's, but this is another":  func(string) string { return "8:1234" },
		"no journal's":                        func(string) string { return "" },
		"of a supervisor that names nonsense": func(string) string { return "x" },
	} {
		t.Run(name, func(t *testing.T) {
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			info, err := out.Stat()
			if err != nil {
				t.Fatal(err)
			}
			own := info.Sys().(*syscall.Stat_t)
			c := testConfig(t)
			c.Edges, c.Out = c.Edges[:1], out
			c.Getenv = func(name string) string {
				if name == "JOURNAL_STREAM" {
					return stream(fmt.Sprintf("%d:%d", own.Dev, own.Ino))
				}
				return ""
			}
			d, stop := start(t, c)
			secret := d.who.key.Secret
			var first remembered
			if b, err := os.ReadFile(filepath.Join(c.Data, "first-password.json")); err != nil || json.Unmarshal(b, &first) != nil {
				t.Fatalf("%v, or unreadable: %s", err, b)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			said, shown := string(b), name != "the journal's"
			if secret == "" || first.Password == "" || strings.Contains(said, secret) != shown || strings.Contains(said, first.Password) != shown {
				t.Errorf("shown should be %v:\n%s", shown, said)
			}
			for _, file := range []string{"aws.env", "first-password.json"} {
				if path := filepath.Join(c.Data, file); !shown && !strings.Contains(said, path) {
					t.Errorf("not told of %s:\n%s", path, said)
				}
			}
		})
	}
}
