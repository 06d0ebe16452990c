package distribution

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// leaves visits every leaf of a structure with its path: "Origins.Items[].Id". Quantity is the
// length of Items and no leaf of its own.
func leaves(t reflect.Type, path string, visit func(path string)) {
	switch {
	case t.Kind() == reflect.Pointer:
		leaves(t.Elem(), path, visit)
	case t.Kind() == reflect.Slice:
		leaves(t.Elem(), path+"[]", visit)
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "Quantity" {
				leaves(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), visit)
			}
		}
	default:
		visit(path)
	}
}

var fieldRow = regexp.MustCompile("^\\| `([A-Za-z0-9.\\[\\]]+)` \\| (compiled|recorded|refused) \\| (.*)\\|$")

// documented reads docs/config-fields.md: section title → field → word.
func documented(t *testing.T) map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile("../docs/config-fields.md")
	if err != nil {
		t.Fatal(err)
	}
	all, section := map[string]map[string]string{}, ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = title
		}
		m := fieldRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if all[section] == nil {
			all[section] = map[string]string{}
		}
		if _, twice := all[section][m[1]]; twice {
			t.Errorf("docs/config-fields.md has %s.%s twice", section, m[1])
		}
		if m[2] == "refused" && !strings.HasPrefix(m[3], "neutral: ") {
			t.Errorf("docs/config-fields.md does not say which value of %s.%s is accepted", section, m[1])
		}
		if m[2] == "recorded" && len(m[3]) < 10 {
			t.Errorf("docs/config-fields.md does not say why %s.%s has no effect", section, m[1])
		}
		all[section][m[1]] = m[2]
	}
	return all
}

// short writes a path as the document does.
func short(path string) string {
	path = strings.TrimPrefix(path, "DistributionConfig.")
	path = regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "[]")
	for _, p := range []string{"DefaultCacheBehavior", "CacheBehaviors.Items[]"} {
		if rest, ok := strings.CutPrefix(path, p); ok {
			return "Behavior" + rest
		}
	}
	return path
}

// rowOf returns the longest row that covers a field.
func rowOf(rows map[string]string, field string) (row, word string) {
	for r, w := range rows {
		if (field == r || strings.HasPrefix(field, r+".") || strings.HasPrefix(field, r+"[")) && len(r) > len(row) {
			row, word = r, w
		}
	}
	return row, word
}

func TestFields_EveryFieldIsCompiledRecordedOrRefused(t *testing.T) {
	doc := documented(t)
	for section, c := range map[string]any{"DistributionConfig": wire.DistributionConfig{},
		"CachePolicyConfig": wire.CachePolicyConfig{}, "OriginRequestPolicyConfig": wire.OriginRequestPolicyConfig{}} {
		used, n := map[string]bool{}, 0
		leaves(reflect.TypeOf(c), "", func(path string) {
			n++
			row, _ := rowOf(doc[section], short(path))
			if used[row] = true; row == "" {
				t.Errorf("docs/config-fields.md has no row for %s.%s: say whether it is compiled, recorded or refused", section, short(path))
			}
		})
		if n < 5 {
			t.Errorf("%s: only %d leaves walked", section, n)
		}
		for row := range doc[section] {
			if !used[row] {
				t.Errorf("docs/config-fields.md has a row for %s.%s, but there is no such field", section, row)
			}
		}
	}
}

// asking are values other than "x", 1 and true that ask for a refused feature.
var asking = map[string]any{
	"ConnectionMode":                              "tenant-only",
	"OriginGroups.Items[].SelectionCriteria":      "media-quality-based",
	"Restrictions.GeoRestriction.RestrictionType": "blacklist",
}

func TestFields_RefusedOnesAreNamed(t *testing.T) {
	rows := documented(t)["DistributionConfig"]
	tried := 0
	leaves(reflect.TypeOf(wire.DistributionConfig{}), "", func(path string) {
		field := short(path)
		row, word := rowOf(rows, field)
		if word != "refused" {
			return
		}
		tried++
		c := filled(rich())
		set(t, reflect.ValueOf(c), path, asking[field])
		complete(reflect.ValueOf(c))
		FillDefaults(c)
		err := Validate(c, Known{})
		if err == nil {
			t.Errorf("%s: accepted", path)
			return
		}
		e := asError(t, err)
		if got, _ := rowOf(rows, short(e.Field)); got != row {
			t.Errorf("%s: the error names %s: %v", path, e.Field, e)
		}
		if !strings.Contains(e.Message, e.Field) {
			t.Errorf("%s: the message does not name the field: %v", path, e)
		}
		if status := wire.ErrorStatus[e.Code]; status != 400 {
			t.Errorf("%s: code %s has status %d", path, e.Code, status)
		}
	})
	if tried < 50 {
		t.Errorf("only %d refused fields tried", tried)
	}
}

// set sets the leaf at path, making what is on the way there. The last element of each list is used.
func set(t *testing.T, v reflect.Value, path string, value any) {
	t.Helper()
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if strings.HasPrefix(path, "[]") {
		if v.Len() == 0 {
			v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
		}
		set(t, v.Index(v.Len()-1), strings.TrimPrefix(path[2:], "."), value)
		return
	}
	if path != "" {
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		f := v.FieldByName(path[:end])
		if !f.IsValid() {
			t.Fatalf("%s has no field %s", v.Type(), path)
		}
		set(t, f, strings.TrimPrefix(path[end:], "."), value)
		return
	}
	if value != nil {
		v.Set(reflect.ValueOf(value))
		return
	}
	v.Set(sample(v.Type()))
}

func sample(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(1)
	}
	return v
}

// complete adds required members that a freshly made structure lacks, and sets every Quantity.
func complete(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			complete(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			complete(v.Index(i))
		}
	case reflect.Struct:
		for _, name := range wire.Required[v.Type().Name()] {
			f := v.FieldByName(name)
			if f.Kind() == reflect.Pointer && f.IsNil() && name != "Quantity" {
				f.Set(reflect.New(f.Type().Elem()))
				if k := f.Elem().Kind(); k != reflect.Struct {
					f.Elem().Set(sample(f.Elem().Type()))
				}
			}
			if f.Kind() == reflect.Slice && f.Len() == 0 {
				f.Set(reflect.Append(f, sample(f.Type().Elem())))
			}
		}
		for i := range v.NumField() {
			complete(v.Field(i))
		}
		if q := v.FieldByName("Quantity"); q.IsValid() {
			q.Set(reflect.ValueOf(ptr(int64(v.FieldByName("Items").Len()))))
		}
	}
}

func TestFields_RecordedOnesAreAccepted(t *testing.T) {
	for path, value := range map[string]any{
		"CallerReference": "other", "Comment": "other", "IsIPV6Enabled": false, "PriceClass": "PriceClass_100",
		"Logging.Bucket": "b", "Logging.Prefix": "p", "Logging.IncludeCookies": true,
		"ViewerCertificate.SSLSupportMethod": "vip",
	} {
		if _, word := rowOf(documented(t)["DistributionConfig"], path); word != "recorded" {
			t.Errorf("%s is documented as %q", path, word)
		}
		c, base := filled(rich()), compiled(t, rich())
		set(t, reflect.ValueOf(c), path, value)
		FillDefaults(c)
		if err := Validate(c, Known{}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		d := compiled(t, c)
		if !reflect.DeepEqual(d, base) {
			t.Errorf("%s has an effect, but is documented as recorded", path)
		}
	}
}

// No field is accepted and ignored: another value of a compiled field compiles to something else.
func TestFields_CompiledOnesHaveAnEffect(t *testing.T) {
	rows := documented(t)["DistributionConfig"]
	base := compiled(t, rich())
	leaves(reflect.TypeOf(wire.DistributionConfig{}), "", func(path string) {
		field := short(path)
		if _, word := rowOf(rows, field); word != "compiled" {
			return
		}
		change := changes[field]
		if change == nil {
			t.Errorf("%s: this test knows no other value for it", field)
			return
		}
		c := filled(rich())
		change(c)
		if reflect.DeepEqual(compiled(t, c), base) {
			t.Errorf("%s: another value changes nothing", field)
		}
	})
}

func TestFields_CompiledOnesOfPoliciesHaveAnEffect(t *testing.T) {
	const q = "ParametersInCacheKeyAndForwardedToOrigin."
	base := func() (*wire.CachePolicyConfig, *wire.OriginRequestPolicyConfig) {
		return cacheBy("Accept", "a", "q", false, false), requestBy("Origin", "b", "r")
	}
	type change = func(c *wire.CachePolicyConfig, r *wire.OriginRequestPolicyConfig)
	params := func(f func(p *wire.ParametersInCacheKeyAndForwardedToOrigin)) change {
		return func(c *wire.CachePolicyConfig, _ *wire.OriginRequestPolicyConfig) {
			f(c.ParametersInCacheKeyAndForwardedToOrigin)
		}
	}
	request := func(f func(r *wire.OriginRequestPolicyConfig)) change {
		return func(_ *wire.CachePolicyConfig, r *wire.OriginRequestPolicyConfig) { f(r) }
	}
	cp := map[string]change{
		"MinTTL":                         func(c *wire.CachePolicyConfig, _ *wire.OriginRequestPolicyConfig) { c.MinTTL = ptr(int64(5)) },
		"DefaultTTL":                     func(c *wire.CachePolicyConfig, _ *wire.OriginRequestPolicyConfig) { c.DefaultTTL = ptr(int64(5)) },
		"MaxTTL":                         func(c *wire.CachePolicyConfig, _ *wire.OriginRequestPolicyConfig) { c.MaxTTL = ptr(int64(100000)) },
		q + "EnableAcceptEncodingGzip":   params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) { p.EnableAcceptEncodingGzip = ptr(true) }),
		q + "EnableAcceptEncodingBrotli": params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) { p.EnableAcceptEncodingBrotli = ptr(true) }),
		q + "HeadersConfig.HeaderBehavior": params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) {
			p.HeadersConfig = &wire.CachePolicyHeadersConfig{HeaderBehavior: ptr("none")}
		}),
		q + "HeadersConfig.Headers.Items[]": params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) { p.HeadersConfig.Headers.Items[0] = "X" }),
		q + "CookiesConfig.CookieBehavior": params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) {
			p.CookiesConfig.CookieBehavior = ptr("allExcept")
		}),
		q + "CookiesConfig.Cookies.Items[]": params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) { p.CookiesConfig.Cookies.Items[0] = "X" }),
		q + "QueryStringsConfig.QueryStringBehavior": params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) {
			p.QueryStringsConfig.QueryStringBehavior = ptr("allExcept")
		}),
		q + "QueryStringsConfig.QueryStrings.Items[]": params(func(p *wire.ParametersInCacheKeyAndForwardedToOrigin) {
			p.QueryStringsConfig.QueryStrings.Items[0] = "X"
		}),
	}
	rp := map[string]change{
		"HeadersConfig.HeaderBehavior":            request(func(r *wire.OriginRequestPolicyConfig) { r.HeadersConfig.HeaderBehavior = ptr("allExcept") }),
		"HeadersConfig.Headers.Items[]":           request(func(r *wire.OriginRequestPolicyConfig) { r.HeadersConfig.Headers.Items[0] = "X" }),
		"CookiesConfig.CookieBehavior":            request(func(r *wire.OriginRequestPolicyConfig) { r.CookiesConfig.CookieBehavior = ptr("allExcept") }),
		"CookiesConfig.Cookies.Items[]":           request(func(r *wire.OriginRequestPolicyConfig) { r.CookiesConfig.Cookies.Items[0] = "X" }),
		"QueryStringsConfig.QueryStringBehavior":  request(func(r *wire.OriginRequestPolicyConfig) { r.QueryStringsConfig.QueryStringBehavior = ptr("allExcept") }),
		"QueryStringsConfig.QueryStrings.Items[]": request(func(r *wire.OriginRequestPolicyConfig) { r.QueryStringsConfig.QueryStrings.Items[0] = "X" }),
	}
	doc := documented(t)
	bc, br := base()
	want := withPolicies(t, bc, br)
	for section, s := range map[string]struct {
		config  any
		changes map[string]change
	}{"CachePolicyConfig": {wire.CachePolicyConfig{}, cp}, "OriginRequestPolicyConfig": {wire.OriginRequestPolicyConfig{}, rp}} {
		leaves(reflect.TypeOf(s.config), "", func(path string) {
			if _, word := rowOf(doc[section], path); word != "compiled" {
				return
			}
			if s.changes[path] == nil {
				t.Errorf("%s.%s: this test knows no other value for it", section, path)
				return
			}
			c, r := base()
			s.changes[path](c, r)
			if reflect.DeepEqual(withPolicies(t, c, r), want) {
				t.Errorf("%s.%s: another value changes nothing", section, path)
			}
		})
	}
}
