package llm_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/llm"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

func write(t testing.TB, p *llm.Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPlanFile(t *testing.T) {
	p := wantGood()
	p.Tables[0].Columns = append(p.Tables[0].Columns, llm.Column{Name: "null", Meaning: "status", Why: "a: \"b\" # c"})
	text := write(t, p)
	for _, want := range []string{
		"version: 1\nmodel: claude-sonnet-4-6\nprompt: 1\nlocales: [de-DE]\n",
		"      mail: {meaning: email, why: letters go there, confidence: 0.9}\n",
		"      - {columns: [buyer], table: customers, to: [id], why: who buys, confidence: 0.8}\n",
		"      - {column: total, rule: quantity * price, confidence: 0.7}\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the file has no %q:\n%s", want, text)
		}
	}
	file := filepath.Join(t.TempDir(), "shop.plan.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := llm.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got, plain); diff != "" {
		t.Error(diff)
	}
	if again := write(t, got); again != text {
		t.Error(cmp.Diff(text, again))
	}
	if _, err := llm.Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if p = (&llm.Plan{}); write(t, p) == "" || p.Known() != nil {
		t.Error("an empty plan")
	}
}

func TestParseFindsEverything(t *testing.T) {
	_, err := llm.Parse("shop.plan.yaml", []byte(`version: 2
modell: x
prompt: zero
locales: de
tables:
  orders:
    columns:
      total: {meaning: [a], confidence: 2}
      state: {why: unknown}
    references:
      - {columns: [buyer], table: customers}
    rules:
      - {rule: a < b, confidence: high}
      - placed <= shipped
  orders: {}
`))
	want := []string{
		"shop.plan.yaml:1: version \"2\" of the format is unknown; this rehearse reads version 1",
		"shop.plan.yaml:2: unknown key \"modell\" in a plan",
		"shop.plan.yaml:3: prompt must be a number from 1, not \"zero\"",
		"shop.plan.yaml:4: locales must be a list, not \"de\"",
		"shop.plan.yaml:8: meaning must be text, not a list",
		"shop.plan.yaml:8: confidence must be a number from 0 to 1, not \"2\"",
		"shop.plan.yaml:9: a column has no meaning",
		"shop.plan.yaml:11: a reference has no to",
		"shop.plan.yaml:13: confidence must be a number from 0 to 1, not \"high\"",
		"shop.plan.yaml:14: a rule must be a mapping, not \"placed <= shipped\"",
		"shop.plan.yaml:15: the key \"orders\" is given twice",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"":                         "the file is empty",
		"a: [":                     "the file is not YAML",
		"version: 1\n---\na: 1\n":  "a second document",
		"[1]":                      "a plan must be a mapping, not a list",
		"model: x":                 "a plan has no version",
		"version: 1\ntables: &a 1": "tables must be a mapping",
	} {
		if _, err := llm.Parse("f", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Problems of a file that somebody has edited have their line.
func TestValidateFile(t *testing.T) {
	p, err := llm.Parse("shop.plan.yaml", []byte("version: 1\ntables:\n  orders:\n    columns:\n      placed: {meaning: email}\n    rules:\n      - {rule: placed <= shiped}\n"))
	if err != nil {
		t.Fatal(err)
	}
	ok, problems := llm.Validate(p, ours(), []string{"email"}, fits)
	if len(ok.Tables) != 1 || len(ok.Tables[0].Columns)+len(ok.Tables[0].Rules) != 0 {
		t.Errorf("got %+v", ok)
	}
	want := rehearse.Problems{
		{Kind: rehearse.Invalid, File: "shop.plan.yaml", Line: 5, Msg: "orders.placed is timestamp with time zone, which cannot hold a email"},
		{Kind: rehearse.Invalid, File: "shop.plan.yaml", Line: 7, Msg: `table "orders" has no column "shiped"`, Hint: `Did you mean "shipped"?`},
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
	if len(p.Tables[0].Columns) != 1 {
		t.Error("the plan itself has changed")
	}
}

func TestFingerprint(t *testing.T) {
	a, b := ours().Tables[0], ours().Tables[0]
	b.Columns[1].Default, b.Indexes = "'another'", nil
	if llm.Fingerprint(a) != llm.Fingerprint(b) {
		t.Error("what is not sent is in the fingerprint")
	}
	b.Columns[1].Type = schema.Type{SQL: "citext", Kind: schema.Text}
	if llm.Fingerprint(a) == llm.Fingerprint(b) {
		t.Error("a type is not in the fingerprint")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(write(f, wantGood())))
	f.Add([]byte("version: 1\ntables: {a: {columns: {b: {meaning: c, confidence: .5}}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := llm.Parse("f", data)
		if err != nil {
			return
		}
		text := write(t, p)
		q, err := llm.Parse("f", []byte(text))
		if err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if again := write(t, q); again != text {
			t.Errorf("written differently:\n%s", cmp.Diff(text, again))
		}
		llm.Validate(p, ours(), []string{"email"}, nil)
	})
}
