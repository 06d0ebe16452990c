package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const deploy = "../../deploy"

func readDeploy(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkLine holds a command line of somebody's deployment against the commands and flags that there are.
func checkLine(t *testing.T, where string, args []string) {
	t.Helper()
	cmd, rest, err := newRoot().Find(args)
	if err != nil || !cmd.Runnable() {
		t.Errorf("%s: %q is no command: %v", where, args, err)
		return
	}
	for i, a := range rest {
		name, value, given := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if !strings.HasPrefix(a, "--") {
			continue
		}
		f := cmd.Flags().Lookup(name)
		switch {
		case f == nil:
			t.Errorf("%s: %s has no flag --%s", where, cmd.CommandPath(), name)
		case given && !strings.Contains(value, "$"):
			if err := f.Value.Set(value); err != nil {
				t.Errorf("%s: --%s: %v", where, name, err)
			}
		case !given && f.NoOptDefVal == "" && i == len(rest)-1:
			t.Errorf("%s: --%s has no value", where, name)
		}
	}
}

var settingName = regexp.MustCompile(`\bWARMFRONT_(CONTROL|EDGE|RELAY|DEV)_[A-Z0-9_]+`)

// checkVariables holds the variables of a text against the settings that there are.
func checkVariables(t *testing.T, where, text string) {
	t.Helper()
	for _, name := range settingName.FindAllString(text, -1) {
		_, rest, _ := strings.Cut(name, "_")
		table, flag, _ := strings.Cut(strings.ToLower(rest), "_")
		if roles[table](nil).Flags().Lookup(strings.ReplaceAll(flag, "_", "-")) == nil {
			t.Errorf("%s: %s is no setting", where, name)
		}
	}
}

// Units say what the binary understands, and systemd, where there is one, finds nothing wrong with them.
func TestDeploy_Systemd(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"warmfront-control.service", "warmfront-edge.service", "warmfront-edge.socket", "warmfront-relay.service"} {
		text := readDeploy(t, filepath.Join("systemd", name))
		checkVariables(t, name, text)
		starts := 0
		for line := range strings.Lines(text) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.HasPrefix(key, "ExecStart") {
				starts++
				args := strings.Fields(value)
				if args[0] != "/usr/local/bin/warmfront" {
					t.Errorf("%s starts %s", name, args[0])
				}
				checkLine(t, name, args[1:])
			}
		}
		if starts == 0 && strings.HasSuffix(name, ".service") {
			t.Errorf("%s starts nothing", name)
		}
		// By default systemd gives up after five starts within ten seconds, for good.
		if unit, _, _ := strings.Cut(text, "[Service]"); strings.HasSuffix(name, ".service") && !strings.Contains(unit, "\nStartLimitIntervalSec=0\n") {
			t.Errorf("%s is given up", name)
		}
		file := filepath.Join(dir, name)
		// What is checked is not whether this machine has the binary.
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "/usr/local/bin/warmfront", "/bin/true")), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("no systemd here that could look at the units")
		return
	}
	if out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...).CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}

// manifest is a document of Kubernetes, as far as this test reads it.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name, Namespace string }
	Spec       struct {
		Selector    yaml.Node
		ServiceName string `yaml:"serviceName"`
		Ports       []struct {
			TargetPort string `yaml:"targetPort"`
		}
		Template             podTemplate
		VolumeClaimTemplates []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
	}
}

type podTemplate struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
		Containers                    []struct {
			Args           []string
			Env            []struct{ Name string }
			Ports          []struct{ Name string }
			StartupProbe   probe                   `yaml:"startupProbe"`
			ReadinessProbe probe                   `yaml:"readinessProbe"`
			LivenessProbe  probe                   `yaml:"livenessProbe"`
			VolumeMounts   []struct{ Name string } `yaml:"volumeMounts"`
		}
		Volumes []struct{ Name string }
	}
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

func TestDeploy_Kubernetes(t *testing.T) {
	services, labels := map[string]manifest{}, map[string]string{}
	for _, name := range []string{"control.yaml", "edge.yaml", "relay.yaml"} {
		text := readDeploy(t, filepath.Join("kubernetes", name))
		checkVariables(t, name, text)
		documents := yaml.NewDecoder(strings.NewReader(text))
		sets := 0
		for {
			var m manifest
			err := documents.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if m.APIVersion == "" || m.Kind == "" || m.Metadata.Name == "" || m.Metadata.Namespace != "warmfront" {
				t.Errorf("%s: a document without kind, name or namespace: %+v", name, m)
			}
			switch m.Kind {
			case "Service":
				services[m.Metadata.Name] = m
			case "StatefulSet":
				sets++
				checkSet(t, name, &m, services)
				for k, v := range m.Spec.Template.Metadata.Labels {
					labels[k] = v
				}
			}
		}
		if sets != 1 {
			t.Errorf("%s has %d stateful sets", name, sets)
		}
	}
	if labels["app"] != "warmfront" {
		t.Errorf("labels are %v", labels)
	}
}

// checkSet holds a stateful set against itself, the services before it, and the binary.
func checkSet(t *testing.T, where string, m *manifest, services map[string]manifest) {
	t.Helper()
	pod := m.Spec.Template.Spec
	if _, ok := services[m.Spec.ServiceName]; !ok || len(pod.Containers) != 1 {
		t.Fatalf("%s: service %q, %d containers", where, m.Spec.ServiceName, len(pod.Containers))
	}
	c := pod.Containers[0]
	checkLine(t, where, c.Args)
	has := func(all []struct{ Name string }, name string) bool {
		return slices.ContainsFunc(all, func(x struct{ Name string }) bool { return x.Name == name })
	}
	if c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/healthz" {
		t.Errorf("%s: probes %+v, %+v", where, c.ReadinessProbe, c.LivenessProbe)
	}
	for _, p := range []probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p != (probe{}) && !has(c.Ports, p.HTTPGet.Port) {
			t.Errorf("%s: probe %+v", where, p)
		}
	}
	for _, v := range c.VolumeMounts {
		claimed := slices.ContainsFunc(m.Spec.VolumeClaimTemplates, func(x struct{ Metadata struct{ Name string } }) bool { return x.Metadata.Name == v.Name })
		if !claimed && !has(pod.Volumes, v.Name) {
			t.Errorf("%s: there is no volume %s", where, v.Name)
		}
	}
	for _, s := range services {
		role := ""
		s.Spec.Selector.Decode(&struct{ Role *string }{&role})
		if role != m.Spec.Template.Metadata.Labels["role"] {
			continue
		}
		for _, p := range s.Spec.Ports {
			if !has(c.Ports, p.TargetPort) {
				t.Errorf("%s: service %s wants port %s", where, s.Metadata.Name, p.TargetPort)
			}
		}
	}
	if pod.TerminationGracePeriodSeconds < 45 {
		t.Errorf("%s: %d s are less than a drain may take", where, pod.TerminationGracePeriodSeconds)
	}
}

func TestDeploy_Nomad(t *testing.T) {
	for _, name := range []string{"warmfront-edge", "warmfront-relay"} {
		text := readDeploy(t, "nomad/"+name+".nomad.hcl")
		if strings.Count(text, "{") != strings.Count(text, "}") || strings.Count(text, `"`)%2 != 0 {
			t.Errorf("%s: braces or quotes are not closed", name)
		}
		list := regexp.MustCompile(`(?s)args = \[(.*?)\n\s*\]`).FindStringSubmatch(text)
		if list == nil {
			t.Fatalf("%s starts nothing", name)
		}
		var args []string
		for _, m := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(list[1], -1) {
			args = append(args, m[1])
		}
		checkLine(t, name, args)
		// What is not on a volume of the client is gone with the allocation.
		data := regexp.MustCompile(`destination = "([^"]+)"`).FindStringSubmatch(text)
		if data == nil || !slices.Contains(args, "--data="+data[1]) {
			t.Errorf("%s: the data directory of %q does not stay: %q", name, args, data)
		}
	}
}

func TestDeploy_Container(t *testing.T) {
	text := readDeploy(t, "container/Containerfile")
	checkVariables(t, "Containerfile", text)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "COPY" || strings.HasPrefix(words[1], "--from") {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			if _, err := os.Stat(filepath.Join("../..", source)); err != nil {
				t.Errorf("COPY %s: %v", source, err)
			}
		}
	}
	// What a tree has for itself would lie over what the build has just installed there.
	ignored, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".git", "bin", "**/node_modules", "console/web/dist"} {
		if !slices.Contains(strings.Split(string(ignored), "\n"), name) {
			t.Errorf("%s is built from", name)
		}
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if !strings.Contains(text, "FROM golang:"+string(version[1])) {
		t.Errorf("it builds with another Go than %s", version[1])
	}
}
