package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// schema is the part of JSON Schema that docs/report.schema.json uses.
type schema struct {
	Ref         string             `json:"$ref"`
	Defs        map[string]*schema `json:"$defs"`
	Type        string             `json:"type"`
	Description string             `json:"description"`
	Enum        []any              `json:"enum"`
	Const       any                `json:"const"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	Title       string             `json:"title"`
	Draft       string             `json:"$schema"`
	Format      string             `json:"format"`
	Additional  *schema            `json:"additionalProperties"`
}

type rootSchema struct{ root *schema }

func readSchema(t *testing.T) rootSchema {
	t.Helper()
	f, err := os.Open("../../docs/report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields() // a keyword that this test would not check
	var s rootSchema
	if err := d.Decode(&s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

func (r rootSchema) check(t *testing.T, at string, s *schema, v any) {
	t.Helper()
	if s.Ref != "" {
		def := r.root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
		if def == nil {
			t.Fatalf("%s: the schema lacks %s", at, s.Ref)
		}
		r.check(t, at, def, v)
		return
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		t.Errorf("%s: %v is none of %v", at, v, s.Enum)
	}
	if s.Const != nil && s.Const != v {
		t.Errorf("%s: got %v, want %v", at, v, s.Const)
	}
	if got := typeOf(v); s.Type != "" && got != s.Type && (s.Type != "integer" || got != "number" || v != float64(int64(v.(float64)))) {
		t.Errorf("%s: %v is a %s, not a %s", at, v, got, s.Type)
		return
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			r.check(t, fmt.Sprintf("%s[%d]", at, i), s.Items, item)
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				t.Errorf("%s lacks %s", at, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if p := s.Properties[name]; p != nil {
				r.check(t, at+"."+name, p, v[name])
			} else if s.Additional != nil {
				r.check(t, at+"."+name, s.Additional, v[name])
			} else {
				t.Errorf("%s.%s is not in the schema", at, name)
			}
		}
	}
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}
