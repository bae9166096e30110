package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rehearse-dev/rehearse"
)

// document is what the tests read of the description.
type document struct {
	Paths      map[string]map[string]any
	Components struct {
		Schemas   map[string]any
		Responses map[string]any
	}
}

func readDocument(t *testing.T) *document {
	t.Helper()
	var d document
	if err := yaml.Unmarshal(OpenAPI, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// TestDescribed holds the routes that are served and those that are described to
// each other.
func TestDescribed(t *testing.T) {
	var described, served []string
	for path, methods := range readDocument(t).Paths {
		for method := range methods {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range routes {
		served = append(served, r.method+" "+r.path)
	}
	served = append(served, "GET /v1/openapi.yaml")
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described are\n%s\nand served are\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
}

// TestCopy holds the copy that people read to the one that is served.
func TestCopy(t *testing.T) {
	if got, err := os.ReadFile("../../docs/openapi.yaml"); err != nil || !bytes.Equal(got, OpenAPI) {
		t.Errorf("docs/openapi.yaml is not internal/api/openapi.yaml (%v): copy it there", err)
	}
}

// requireDescribed checks an answer against what the description says of it.
func (d *document) requireDescribed(t *testing.T, method, path string, status int, body []byte) {
	t.Helper()
	schema, err := d.schemaOf(method, path, status)
	if err != nil {
		t.Error(err)
		return
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Errorf("%s %s: %v in %s", method, path, err, body)
		return
	}
	for _, wrong := range d.check(schema, value, "the answer") {
		t.Errorf("%s %s %d: %s", method, path, status, wrong)
	}
}

// schemaOf is the schema of an answer in JSON. A failure's may be that of all
// failures.
func (d *document) schemaOf(method, path string, status int) (map[string]any, error) {
	for template, methods := range d.Paths {
		pattern := "^" + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(template, "[^/]+") + "$"
		operation, ok := methods[strings.ToLower(method)].(map[string]any)
		if !ok || !regexp.MustCompile(pattern).MatchString(path) {
			continue
		}
		responses := operation["responses"].(map[string]any)
		response, ok := responses[fmt.Sprint(status)]
		if !ok && status >= http.StatusBadRequest {
			response, ok = responses["default"]
		}
		if !ok {
			return nil, fmt.Errorf("%s %s: status %d is not described", method, template, status)
		}
		r := response.(map[string]any)
		if ref, ok := r["$ref"].(string); ok {
			r = d.Components.Responses[strings.TrimPrefix(ref, "#/components/responses/")].(map[string]any)
		}
		return r["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any), nil
	}
	return nil, fmt.Errorf("%s %s is not described", method, path)
}

// check is what is wrong with a value by a schema, as far as the description uses
// JSON Schema. A word that it does not know is wrong as well.
func (d *document) check(schema map[string]any, value any, at string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, at+" "+fmt.Sprintf(format, args...)) }
	for word, want := range schema {
		switch word {
		case "description", "properties":
		case "$ref":
			wrong = append(wrong, d.check(d.Components.Schemas[strings.TrimPrefix(want.(string), "#/components/schemas/")].(map[string]any), value, at)...)
		case "type":
			if !isA(value, want.(string)) {
				say("is %v, and no %s", value, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), value) {
				say("is %v, which is none of %v", value, want)
			}
		case "format":
			if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(value)); err != nil || want != "date-time" {
				say("is no %v: %v", want, err)
			}
		case "minimum", "maximum", "minItems": // of what is asked
		case "required":
			object, _ := value.(map[string]any)
			for _, name := range want.([]any) {
				if _, ok := object[name.(string)]; !ok {
					say("has no %v", name)
				}
			}
		case "items":
			list, _ := value.([]any)
			for i, v := range list {
				wrong = append(wrong, d.check(want.(map[string]any), v, fmt.Sprintf("%s[%d]", at, i))...)
			}
		case "additionalProperties":
			wrong = append(wrong, d.checkProperties(schema, value, at)...)
		default:
			say("is described by %q, which the test does not know", word)
		}
	}
	return wrong
}

func (d *document) checkProperties(schema map[string]any, value any, at string) (wrong []string) {
	object, _ := value.(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	for name, v := range object {
		s, ok := properties[name].(map[string]any)
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s has %q, which is not described", at, name))
			continue
		}
		wrong = append(wrong, d.check(s, v, at+"."+name)...)
	}
	return wrong
}

func isA(value any, what string) bool {
	switch v := value.(type) {
	case string:
		return what == "string"
	case bool:
		return what == "boolean"
	case float64:
		return what == "number" || what == "integer" && v == math.Trunc(v)
	case []any:
		return what == "array"
	case map[string]any:
		return what == "object"
	}
	return false
}

// TestCheck holds the check itself to finding what is wrong.
func TestCheck(t *testing.T) {
	d := readDocument(t)
	problem := d.Components.Schemas["Problem"].(map[string]any)
	for text, want := range map[string]int{
		`{"error": "e", "hint": "", "kind": "invalid"}`:            0,
		`{"error": "e", "hint": "", "kind": "odd"}`:                1,
		`{"error": 1, "hint": "", "kind": "invalid"}`:              1,
		`{"error": "e", "kind": "invalid"}`:                        1,
		`{"error": "e", "hint": "", "kind": "invalid", "more": 1}`: 1,
		`[]`: 4,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if got := d.check(problem, value, "it"); len(got) != want {
			t.Errorf("%s: found %q, want %d problems", text, got, want)
		}
	}
}

// TestNouns holds the schemas to the fields of what they describe.
func TestNouns(t *testing.T) {
	d := readDocument(t)
	for name, noun := range map[string]any{
		"Problem": Problem{}, "Environment": Environment{}, "Fact": rehearse.Fact{}, "LeaseRequest": leaseRequest{}, "Lease": Lease{},
		"Service": Service{}, "Address": Address{}, "Logs": Logs{}, "Exec": Exec{}, "Executed": Executed{},
		"Link": Link{}, "LinkChange": LinkChange{}, "Shape": rehearse.Shape{}, "Path": rehearse.Path{}, "Fault": rehearse.Fault{},
		"LinkStats": rehearse.LinkStats{}, "Dose": rehearse.Dose{}, "Quantiles": rehearse.Quantiles{},
	} {
		properties, _ := d.Components.Schemas[name].(map[string]any)["properties"].(map[string]any)
		got, want := slices.Sorted(maps.Keys(properties)), fields(reflect.TypeOf(noun))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s is described with %q, and has %q", name, got, want)
		}
	}
	var kinds []string
	for _, k := range d.Components.Schemas["Fault"].(map[string]any)["properties"].(map[string]any)["kind"].(map[string]any)["enum"].([]any) {
		kinds = append(kinds, k.(string))
	}
	var want []string
	for _, k := range rehearse.FaultKinds() {
		want = append(want, string(k))
	}
	slices.Sort(kinds)
	slices.Sort(want)
	if !slices.Equal(kinds, want) {
		t.Errorf("described are the kinds of faults %q, and there are %q", kinds, want)
	}
}

// fields are the names of a struct's fields in JSON.
func fields(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			names = append(names, fields(f.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}
