package ownapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is openapi.json as far as these tests read it.
type document struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas map[string]schema
	}
}

type operation struct {
	OperationID string                      `json:"operationId"`
	LeastRole   string                      `json:"x-least-role"`
	Parameters  []struct{ Name, In string } `json:"parameters"`
	RequestBody any                         `json:"requestBody"`
	Responses   map[string]struct {
		Ref     string `json:"$ref"`
		Content map[string]struct{ Schema schema }
	}
}

// schema is the part of JSON Schema that the document uses.
type schema struct {
	Ref                  string            `json:"$ref"`
	Type                 any               // a string or several
	Properties           map[string]schema // and no others
	Required             []string
	Items                *schema
	Enum                 []string
	OneOf, AllOf         []schema
	AdditionalProperties *schema
	Format               string
}

var parsed = func() (d document) {
	if err := json.Unmarshal(openAPI, &d); err != nil {
		panic(err)
	}
	return d
}()

// elsewhere are paths of this API that the console answers.
var elsewhere = []string{"/session"}

func TestOpenAPI_DocumentsEveryRouteAndNoOther(t *testing.T) {
	documented := map[string]operation{}
	for path, methods := range parsed.Paths {
		for method, op := range methods {
			if !slices.Contains(elsewhere, path) {
				documented[strings.ToUpper(method)+" "+Prefix+path] = op
			}
		}
	}
	label := regexp.MustCompile(`\{(\w+)\}`)
	for _, rt := range routes {
		op, ok := documented[rt.method+" "+rt.path]
		if !ok {
			t.Errorf("%s %s is not documented", rt.method, rt.path)
			continue
		}
		delete(documented, rt.method+" "+rt.path)
		if op.OperationID != rt.name || op.LeastRole != string(rt.least) {
			t.Errorf("%s: documented as %s for %s", rt.name, op.OperationID, op.LeastRole)
		}
		if (op.RequestBody != nil) != (rt.method == "POST" || rt.method == "PUT") {
			t.Errorf("%s: body documented: %t", rt.name, op.RequestBody != nil)
		}
		for _, m := range label.FindAllStringSubmatch(rt.path, -1) {
			if !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name == m[1] && p.In == "path" }) {
				t.Errorf("%s: the label %s is not documented", rt.name, m[1])
			}
		}
	}
	for left := range documented {
		t.Errorf("%s is documented and there is no such route", left)
	}
}

func TestOpenAPI_RefersToWhatThereIs(t *testing.T) {
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(string(openAPI), -1) {
		used[m[1]] = true
		if _, ok := parsed.Components.Schemas[m[1]]; !ok {
			t.Errorf("there is no schema %s", m[1])
		}
	}
	for name := range parsed.Components.Schemas {
		if !used[name] && name != "Change" { // of the stream
			t.Errorf("nothing uses the schema %s", name)
		}
	}
}

// checkAnswer holds an answer against the document: status and every member.
func checkAnswer(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	op, ok := operationOf(r)
	if !ok || w.Body.Len() == 0 {
		return
	}
	where := fmt.Sprintf("%s %s: %d", r.Method, r.URL.Path, w.Code)
	response, ok := op.Responses[fmt.Sprint(w.Code)]
	if !ok && w.Code >= 400 {
		response, ok = op.Responses["default"]
	}
	if !ok {
		t.Errorf("%s is not documented: %s", where, w.Body)
		return
	}
	s := schema{Ref: "#/components/schemas/Error"}
	if response.Ref == "" {
		s = response.Content["application/json"].Schema
	}
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %v", where, w.Header())
	}
	if r.URL.Path == Prefix+"/openapi.json" {
		return
	}
	for _, problem := range s.check(v, "") {
		t.Errorf("%s: %s", where, problem)
	}
}

func operationOf(r *http.Request) (operation, bool) {
	for path, methods := range parsed.Paths {
		form := regexp.MustCompile("^" + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(regexp.QuoteMeta(Prefix)+path, "[^/]+") + "$")
		if op, ok := methods[strings.ToLower(r.Method)]; ok && form.MatchString(r.URL.Path) {
			return op, true
		}
	}
	return operation{}, false
}

// members gathers what an object may and must have, through references and allOf.
func (s schema) members() (may map[string]schema, must []string) {
	may = map[string]schema{}
	if s.Ref != "" {
		return parsed.Components.Schemas[s.Ref[len("#/components/schemas/"):]].members()
	}
	for _, part := range s.AllOf {
		m, r := part.members()
		for k, v := range m {
			may[k] = v
		}
		must = append(must, r...)
	}
	for k, v := range s.Properties {
		may[k] = v
	}
	return may, append(must, s.Required...)
}

func (s schema) check(v any, at string) (problems []string) {
	if s.Ref != "" {
		return parsed.Components.Schemas[s.Ref[len("#/components/schemas/"):]].check(v, at)
	}
	if len(s.OneOf) > 0 {
		for _, one := range s.OneOf {
			if problems = one.check(v, at); len(problems) == 0 {
				return nil
			}
		}
		return problems
	}
	wrong := func(format string, args ...any) { problems = append(problems, at+": "+fmt.Sprintf(format, args...)) }
	if kind := kindOf(v); len(s.AllOf) == 0 && !s.takes(kind) {
		wrong("is %s, not %v", kind, s.Type)
		return problems
	}
	switch v := v.(type) {
	case map[string]any:
		may, must := s.members()
		for _, k := range must {
			if _, ok := v[k]; !ok {
				wrong("%s is missing", k)
			}
		}
		for k, x := range v {
			if p, ok := may[k]; ok {
				problems = append(problems, p.check(x, at+"."+k)...)
			} else {
				wrong("%s is not documented", k)
			}
		}
	case []any:
		for i, x := range v {
			problems = append(problems, s.Items.check(x, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case string:
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
			wrong("%q is none of %q", v, s.Enum)
		}
		if s.Format == "date-time" && !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(v) {
			wrong("%q is no time", v)
		}
	}
	return problems
}

func (s schema) takes(kind string) bool {
	types, ok := s.Type.([]any)
	if !ok {
		types = []any{s.Type}
	}
	return slices.Contains(types, any(kind)) || kind == "integer" && slices.Contains(types, any("number"))
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return "object"
}
