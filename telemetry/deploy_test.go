package telemetry

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"
)

// described are the metrics that there are, with their labels.
func described(t *testing.T) map[string][]string {
	t.Helper()
	m := New()
	m.Ends("edge", nil)
	m.CountDropped(nil)
	m.AddControl(nil)
	m.AddRelay(nil)
	descs := make(chan *prometheus.Desc, 1024)
	m.registry.Describe(descs)
	close(descs)
	all := map[string][]string{}
	parts := regexp.MustCompile(`fqName: "([^"]+)".*constLabels: \{(.*?)\}, variableLabels: \{(.*?)\}`)
	for d := range descs {
		p := parts.FindStringSubmatch(d.String())
		if p == nil {
			t.Fatalf("%s", d)
		}
		for l := range strings.SplitSeq(p[2]+","+p[3], ",") {
			name, _, _ := strings.Cut(l, "=")
			all[p[1]] = append(all[p[1]], name)
		}
	}
	return all
}

var (
	metricName   = regexp.MustCompile(`\b(?:warmfront|process|go)_[a-z0-9_]+\b`)
	metricSuffix = regexp.MustCompile(`_(bucket|count|sum)$`)
	selector     = regexp.MustCompile(`\b((?:warmfront|process|go)_[a-z0-9_]+|up)\{([^}]*)\}`)
	jobMatcher   = regexp.MustCompile(`job(=~|=)"([^"]*)"`)
	matcher      = regexp.MustCompile(`([a-z_]+) *(?:=~|!~|!=|=)`)
	grouping     = regexp.MustCompile(`by \(([a-z_, ]+)\)`)
)

// checkExpr holds an expression against the metrics that there are.
func checkExpr(t *testing.T, where, expr string, all map[string][]string) {
	t.Helper()
	labels := []string{"le", "instance", "job"}
	for _, name := range metricName.FindAllString(expr, -1) {
		l, ok := all[name]
		if !ok {
			l, ok = all[metricSuffix.ReplaceAllString(name, "")]
		}
		if !ok {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		labels = append(labels, l...)
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		known := append(slices.Clone(all[s[1]]), all[metricSuffix.ReplaceAllString(s[1], "")]...)
		known = append(known, "instance", "job") // which Prometheus adds
		for _, l := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(known, l[1]) {
				t.Errorf("%s: %s has no label %s", where, s[1], l[1])
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(l)) {
				t.Errorf("%s: grouped by %s, which nothing in it has", where, l)
			}
		}
	}
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.TrimSpace(expr) == "" {
		t.Errorf("%s: %q is no expression", where, expr)
	}
}

// jobs are the names under which Prometheus is told to look for Warmfront.
func jobs(t *testing.T) (names []string) {
	t.Helper()
	var config struct {
		ScrapeConfigs []struct {
			JobName string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	readFile(t, "../deploy/prometheus/prometheus.yaml", yaml.Unmarshal, &config)
	for _, c := range config.ScrapeConfigs {
		names = append(names, c.JobName)
	}
	return names
}

// checkJobs holds the jobs that an expression wants against those.
func checkJobs(t *testing.T, where, expr string, names []string) {
	t.Helper()
	for _, m := range jobMatcher.FindAllStringSubmatch(expr, -1) {
		wants := func(job string) bool { return job == m[2] }
		if m[1] == "=~" {
			wants = regexp.MustCompile("^(?:" + m[2] + ")$").MatchString
		}
		if !slices.ContainsFunc(names, wants) {
			t.Errorf("%s: there is no job %q", where, m[2])
		}
	}
}

func TestDeploy_AlertsNameMetricsThatThereAre(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	readFile(t, "../deploy/prometheus/warmfront.rules.yaml", yaml.Unmarshal, &rules)
	all, watched := described(t), jobs(t)
	var names []string
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			checkExpr(t, r.Alert, r.Expr, all)
			checkJobs(t, r.Alert, r.Expr, watched)
			names = append(names, r.Alert)
			if s := r.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s has severity %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s says nothing", r.Alert)
			}
		}
	}
	if len(names) < 10 {
		t.Errorf("alerts are %q", names)
	}
	doc, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.Contains(string(doc), n) {
			t.Errorf("docs/operate.md does not say what to do about %s", n)
		}
	}
}

func TestDeploy_DashboardNamesMetricsThatThereAre(t *testing.T) {
	var board struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	readFile(t, "../deploy/grafana/warmfront.json", json.Unmarshal, &board)
	all := described(t)
	for _, p := range board.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, x := range p.Targets {
			checkExpr(t, p.Title, x.Expr, all)
		}
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" {
			checkExpr(t, "variable "+v.Name, v.Definition, all)
		}
	}
	if len(board.Panels) < 20 {
		t.Errorf("%d panels", len(board.Panels))
	}
}

func readFile(t *testing.T, name string, unmarshal func([]byte, any) error, into any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err == nil {
		err = unmarshal(b, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
