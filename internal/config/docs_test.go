package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/rehearse-yaml.md and docs/rehearse.schema.json")

func TestDocs(t *testing.T) {
	example, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join("..", "..", "docs")
	for name, want := range map[string][]byte{
		"rehearse-yaml.md":     Reference(string(example)),
		"rehearse.schema.json": Schema(),
	} {
		file := filepath.Join(docs, name)
		if *update {
			if err := os.MkdirAll(docs, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v; run go test ./internal/config -run TestDocs -update", err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what the table of keys says; run go test ./internal/config -run TestDocs -update\n%s",
				name, cmp.Diff(string(got), string(want)))
		}
	}
}

// The package's documentation holds the example that the tests read.
func TestPackageDoc(t *testing.T) {
	example, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for line := range strings.Lines(string(example)) {
		if line == "\n" {
			want.WriteString("//\n")
			continue
		}
		want.WriteString("//\t" + line)
	}
	if !strings.Contains(string(doc), want.String()) {
		t.Error("doc.go does not hold testdata/full.yaml as it is")
	}
}

// The table of keys and the types that keys decode into say the same.
func TestKeysMatchTypes(t *testing.T) {
	var walk func(path string, k kind, typ reflect.Type)
	walk = func(path string, k kind, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if k.or != nil {
			k = *k.or
		}
		switch {
		case k.elem != nil && k.entry != "" && typ.Kind() == reflect.Slice: // a Map
			value, _ := typ.Elem().FieldByName("Value")
			walk(path+".NAME", *k.elem, value.Type)
		case k.elem != nil:
			walk(path+"[]", *k.elem, typ.Elem())
		case k.keys != nil:
			fields := yamlFields(typ)
			var known []string
			for _, key := range k.keys {
				if _, ok := formOf(key.name); ok && typ == reflect.TypeFor[Check]() {
					continue // the kind is the key
				}
				if _, own := fields[key.name]; !own && isParameter(key.name) && fields[",inline"] != nil {
					continue
				}
				known = append(known, key.name)
				if f, ok := fields[key.name]; ok {
					walk(join(path, key.name), key.kind, f)
				}
			}
			var have []string
			for name := range fields {
				if name != ",inline" { // the parameters of a fault
					have = append(have, name)
				}
			}
			slices.Sort(known)
			slices.Sort(have)
			if d := cmp.Diff(known, have); d != "" {
				t.Errorf("%s: table of keys and %v differ (-table +type)\n%s", path, typ, d)
			}
		}
	}
	walk("", format, reflect.TypeFor[Config]())
}

func isParameter(name string) bool {
	return slices.ContainsFunc(parameterKeys, func(k key) bool { return k.name == name })
}

func yamlFields(typ reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			for name, t := range yamlFields(f.Type) {
				fields[name] = t
			}
			continue
		}
		if name := f.Tag.Get("yaml"); name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}

// innermost is what lists and mappings hold in the end, in its longer form.
func innermost(k kind) kind {
	for k.elem != nil || k.or != nil {
		if k.or != nil {
			k = *k.or
		} else {
			k = *k.elem
		}
	}
	return k
}

// Every key has a sentence, and an example or keys of its own to show.
func TestKeysAreDocumented(t *testing.T) {
	var walk func(path string, k kind)
	walk = func(path string, k kind) {
		k = innermost(k)
		for _, known := range k.keys {
			at := join(path, known.name)
			if !strings.HasSuffix(known.doc, ".") {
				t.Errorf("%s: the sentence %q does not end in a full stop", at, known.doc)
			}
			if known.example == "" && known.kind.keys == nil {
				t.Errorf("%s has no example", at)
			}
			walk(at, known.kind)
		}
	}
	walk("", format)
}

// Examples of scalars and lists are accepted as they stand.
func TestKeyExamples(t *testing.T) {
	var walk func(k kind)
	walk = func(k kind) {
		for _, known := range k.keys {
			if known.example != "" {
				text := known.name + ": " + known.example + "\n"
				if root, problems := document([]byte(text)); len(problems) > 0 {
					t.Errorf("%s: %v", text, problems)
				} else {
					one := known
					one.required = false
					c := &checker{}
					c.object("", root, kind{keys: []key{one}})
					if len(c.problems) > 0 {
						t.Errorf("%s: %v", text, c.problems)
					}
				}
			}
			walk(innermost(known.kind))
		}
	}
	walk(format)
}
