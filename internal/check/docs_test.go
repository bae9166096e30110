package check

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// docs/checks.md speaks of every kind, and has the grammar that the package's
// documentation has.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range allKinds {
		if !strings.Contains(string(page), "\n### "+string(k)+"\n") {
			t.Errorf("docs/checks.md has no section on %s", k)
		}
	}
	var grammar strings.Builder
	for line := range strings.Lines(string(doc)) {
		if rule, ok := strings.CutPrefix(line, "//\t"); ok {
			grammar.WriteString(rule)
		}
	}
	if !strings.Contains(string(page), "```\n"+grammar.String()+"```") {
		t.Errorf("docs/checks.md has another grammar than doc.go:\n%s", &grammar)
	}
	_, examples, _ := strings.Cut(string(page), "here `count() = 0` can hold.")
	_, examples, _ = strings.Cut(examples, "```\n")
	examples, _, _ = strings.Cut(examples, "```")
	comment := regexp.MustCompile(`  +[a-z].*`)
	for line := range strings.Lines(examples) {
		text := strings.TrimSpace(comment.ReplaceAllString(line, ""))
		if _, err := Parse(text); err != nil {
			t.Errorf("the example %s: %v", text, err)
		}
	}
}

func TestDefault(t *testing.T) {
	for _, k := range allKinds {
		if c, ok := Default(k); !ok || c.Kind != k {
			t.Errorf("%s: got %+v, %v", k, c, ok)
		}
	}
	if c, ok := Default("luck"); ok {
		t.Errorf("got %+v for a kind that there is not", c)
	}
	if got, want := Run(rehearse.Check{Kind: rehearse.CheckExpect, Expect: "{ }"}, nil, of(queries(1, 1))).Outcome, rehearse.Pass; got != want {
		t.Errorf("without a plan, and without what is in the defaults: got %s, want %s", got, want)
	}
}
