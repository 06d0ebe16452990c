package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestGuarantee_OfOthers runs the same experiment against Varnish and nginx, as an operator would set
// them up, and logs what it shows. It fails only if nothing could be shown.
func TestGuarantee_OfOthers(t *testing.T) {
	if !thorough() {
		t.Skip("part of make test-guarantee")
	}
	for _, c := range []struct {
		adapter string
		start   func(dir, address, origin string) *exec.Cmd
	}{
		{"varnish-ban", varnish},
		{"varnish-purge", varnish},
		{"nginx-purge", nginx},
	} {
		t.Run(c.adapter, func(t *testing.T) {
			origin, address := fixedAddress(), fixedAddress()
			cmd := c.start(t.TempDir(), address, origin)
			if cmd.Err != nil {
				t.Skipf("not installed: %v", cmd.Err)
			}
			log := &syncBuffer{}
			cmd.Stdout, cmd.Stderr = log, log
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
			if err := cmd.Start(); err != nil {
				t.Skip(err)
			}
			ended := make(chan struct{})
			go func() {
				cmd.Wait()
				close(ended)
			}()
			defer func() { cmd.Process.Signal(syscall.SIGTERM); <-ended }()
			if err := newWorld("").until(patience, func() (bool, error) {
				select {
				case <-ended:
					return false, errors.New("it has ended")
				default:
				}
				conn, err := net.Dial("tcp", address)
				if err == nil {
					conn.Close()
				}
				return err == nil, nil
			}); err != nil {
				t.Skipf("it does not serve (%v); its packages are named in docs/guarantee.md\n%s", err, log)
			}
			v, said := checkGuarantee(t, nil, []string{"--adapter", c.adapter, "--edges", "http://" + address, "--origin-listen", origin,
				"--answers", "60000", "--seed", "20", "--keep-going"}, func(int) {})
			t.Logf("%v\n%s", v, said)
		})
	}
}

const examples = "../docs/examples/guarantee/"

func varnish(dir, address, origin string) *exec.Cmd {
	vcl := filepath.Join(dir, "ban.vcl")
	adapt(filepath.Join(examples, "ban.vcl"), vcl, origin, address, dir)
	return exec.Command("varnishd", "-F", "-a", address, "-f", vcl, "-s", "malloc,256m", "-n", filepath.Join(dir, "work"), "-j", "none")
}

func nginx(dir, address, origin string) *exec.Cmd {
	conf := filepath.Join(dir, "nginx.conf")
	adapt(filepath.Join(examples, "nginx.conf"), conf, origin, address, dir)
	directives := "daemon off;"
	if os.Geteuid() == 0 {
		directives += " user root;" // or its workers cannot write where the test may
	}
	return exec.Command("nginx", "-c", conf, "-p", dir, "-g", directives)
}

// adapt copies an example with other addresses.
func adapt(from, to, origin, address, dir string) {
	b, err := os.ReadFile(from)
	if err != nil {
		panic(err)
	}
	_, port, _ := net.SplitHostPort(origin)
	s := strings.NewReplacer("127.0.0.1:8200", origin, `"8200"`, `"`+port+`"`, "127.0.0.1:6081", address, "/var/cache/nginx", dir).Replace(string(b))
	if err := os.WriteFile(to, []byte(s), 0o644); err != nil {
		panic(err)
	}
}
