package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// docs/compose-support.md is what the table says.
func TestDocs(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "compose-support.md")
	want := supportPage()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go test ./internal/compose -run TestDocs -update", err)
	}
	if string(got) != want {
		t.Errorf("docs/compose-support.md is not what the table says; run go test ./internal/compose -run TestDocs -update\n%s", cmp.Diff(string(got), want))
	}
}

const supportHead = `# What becomes of each key of a Compose file

<!-- Generated from internal/compose by go test ./internal/compose -run TestDocs -update. -->

For every field of the [Compose specification](https://github.com/compose-spec/compose-spec), as compose-go reads it, and for each driver:

- **supported**: what the specification says.
- **approximated**: done in another way, or left out; the remark says which. Where ✎ stands, every plan whose files have the key says so in its
  notes, which ` + "`rehearse plan`" + ` prints.
- **refused**: an error of kind invalid, with file and line, and exit code 2.

A remark without a driver's name is for both. A key that ends in ` + "`.*`" + ` stands for all below it that have no row of their own. Extensions
(` + "`x-…`" + `), fragments and interpolation are as in docker compose.
`

func supportPage() string {
	var b strings.Builder
	b.WriteString(supportHead)
	for _, s := range table {
		fmt.Fprintf(&b, "\n## %s\n\n| field | process | docker | remark |\n|---|---|---|---|\n", s.title)
		for _, r := range s.rows {
			path := s.prefix + r.key
			process, docker := answerFor("process", path), answerFor("docker", path)
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", fieldName(path), cell(process), cell(docker),
				remark(remarkOf(r.process, process, path), remarkOf(r.docker, docker, path)))
		}
	}
	return b.String()
}

func fieldName(path string) string { return strings.TrimPrefix(path, "services.") }

func cell(a answer) string {
	if a.note {
		return a.level.String() + " ✎"
	}
	return a.level.String()
}

func remark(process, docker string) string {
	switch {
	case process == docker:
		return process
	case process == "":
		return "docker: " + docker
	case docker == "":
		return "process: " + process
	}
	return "process: " + process + " docker: " + docker
}

// remarkOf is what the remark says of one driver: what its row has, where that
// is the answer of the key above no more than that.
func remarkOf(raw, a answer, path string) string {
	if raw.parent && a.level != supported {
		return "As `" + fieldName(path[:strings.LastIndexByte(path, '.')]) + "`."
	}
	code := func(values []string) string {
		var out []string
		for _, v := range values {
			if strings.HasSuffix(v, ":") || strings.HasSuffix(v, "_") {
				v += "…"
			}
			out = append(out, "`"+v+"`")
		}
		return strings.Join(out, ", ")
	}
	text := a.text
	if text == "" && a.level != supported {
		text = "It is left out."
	}
	switch {
	case a.only != nil:
		text += " This is only so of " + code(a.only) + "; else it is supported."
	case a.but != nil:
		text += " This is not so of " + code(a.but) + ", which the driver supports."
	}
	return text
}

// Every key that compose-go knows has a row, and every row a key.
func TestTableIsComplete(t *testing.T) {
	known := map[string]bool{"version": true, "include": true}
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for _, k := range keysOf(typ) {
			path := prefix + k.name
			known[path] = true
			if below, ok := mapping(k.typ); ok {
				walk(path+".", below)
			}
		}
	}
	walk("", reflect.TypeFor[types.Project]())
	walk("include.", reflect.TypeFor[types.IncludeConfig]())

	for path := range known {
		if _, ok := answers[path]; ok || hasWildcard(path) {
			continue
		}
		t.Errorf("there is no row for %s: say in the table what becomes of it", path)
	}
	for path := range answers {
		if parent, ok := strings.CutSuffix(path, ".*"); ok {
			path = parent
		}
		if !known[path] {
			t.Errorf("Compose has no key %s", path)
		}
	}
	rows := 0
	for _, s := range table {
		rows += len(s.rows)
	}
	if rows != len(answers) {
		t.Errorf("got %d rows for %d keys: one key has two", rows, len(answers))
	}
}

func hasWildcard(path string) bool {
	for i := strings.LastIndexByte(path, '.'); i > 0; i = strings.LastIndexByte(path[:i], '.') {
		if _, ok := answers[path[:i]+".*"]; ok {
			return true
		}
	}
	return false
}

// What the table says are sentences.
func TestTableSentences(t *testing.T) {
	for path, r := range answers {
		for driver, a := range map[string]answer{"process": r.process, "docker": r.docker} {
			text := a.sentence(driver, path)
			switch {
			case a.parent && (a.note || text != ""):
				t.Errorf("%s, %s: it has the answer of the key above and says %q", path, driver, text)
			case a.level == supported && text != "":
				t.Errorf("%s, %s: it is supported and says %q", path, driver, text)
			case a.level != supported && (!strings.HasSuffix(text, ".") || strings.Contains(text, "..")):
				t.Errorf("%s, %s: %q is no sentence", path, driver, text)
			}
		}
	}
}
