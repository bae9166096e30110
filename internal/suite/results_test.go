//go:build unix

package suite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

const junit = `<?xml version="1.0" encoding="ISO-8859-1"?>
<testsuites>
  <testsuite name="outer">
    <testcase classname="page" name="opens" time="1,001.5"/>
    <testsuite name="inner">
      <testcase classname="page" name="form" time="0.25"><failure message="status: got 500, want 201">stack&nbsp;&#x1b;[31m</failure></testcase>
      <testcase name="breaks"><error type="Timeout">too
slow</error></testcase>
      <testcase name="later"><skipped message="not now"/></testcase>
      <testcase name="never" status="notrun"/>
    </testsuite>
  </testsuite>
</testsuites>
`

var junitTests = []rehearse.Test{
	{Name: "page › opens", Outcome: "passed", Elapsed: rehearse.Duration(1001500 * time.Millisecond)},
	{Name: "page › form", Outcome: "failed", Elapsed: rehearse.Duration(250 * time.Millisecond), Message: "status: got 500, want 201"},
	{Name: "breaks", Outcome: "failed", Message: "too\nslow"},
	{Name: "later", Outcome: "skipped", Message: "not now"},
	{Name: "never", Outcome: "skipped"},
}

const ctrf = `{"results": {"tool": {"name": "jest"}, "tests": [
  {"name": "adds", "status": "passed", "duration": 12, "suite": ["unit", "sum"]},
  {"name": "divides", "status": "failed", "duration": 3, "suite": "unit", "message": "\u001b[31mby zero\u001b[39m", "trace": "at …"},
  {"name": "waits", "status": "pending", "duration": 0}
]}}`

var ctrfTests = []rehearse.Test{
	{Name: "unit › sum › adds", Outcome: "passed", Elapsed: rehearse.Duration(12 * time.Millisecond)},
	{Name: "unit › divides", Outcome: "failed", Elapsed: rehearse.Duration(3 * time.Millisecond), Message: "by zero"},
	{Name: "waits", Outcome: "skipped"},
}

func TestResults(t *testing.T) {
	o := options(t, `mkdir out; mv junit out/a.xml; mv ctrf out/b.json`) // and exits 0
	files(t, o.Step.Dir, map[string]string{"junit": junit, "ctrf": ctrf})
	o.Step.Results = []string{"out/*.xml", "out/b.json", "out/*"}
	r := run(t, o)
	if diff := cmp.Diff(append(junitTests[:len(junitTests):len(junitTests)], ctrfTests...), r.Tests); diff != "" {
		t.Error(diff)
	}
	if r.ExitCode != 0 {
		t.Errorf("exit code %d: the command's own is 0", r.ExitCode)
	}
	want := []string{"suites/e2e/results/out/a.xml", "suites/e2e/results/out/b.json"}
	if diff := cmp.Diff(want, r.Artifacts); diff != "" {
		t.Error(diff)
	}
	if got := read(t, filepath.Join(o.RelTo, want[0])); got != junit {
		t.Errorf("the copy holds %q", got)
	}
}

func TestResultsOfAnotherRunDoNotCount(t *testing.T) {
	o := options(t, `echo done`)
	files(t, o.Step.Dir, map[string]string{"old.xml": junit})
	o.Step.Results = []string{"old.xml", "none.xml"}
	r := run(t, o)
	if r.Tests != nil || r.Artifacts != nil {
		t.Errorf("got %+v", r)
	}
	want := "done\nrehearse: there is no none.xml in the suite's directory\nrehearse: the results in old.xml were not read: they are older than this run\n"
	if got := output(t, o); got != want {
		t.Errorf("output.log holds %q, want %q", got, want)
	}

	o = options(t, `cp old.xml new.xml; cat new.xml >old.xml; touch old.xml`)
	files(t, o.Step.Dir, map[string]string{"old.xml": junit})
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(o.Step.Dir, "old.xml"), past, past); err != nil {
		t.Fatal(err)
	}
	o.Step.Results = []string{"old.xml"}
	if r := run(t, o); len(r.Tests) != len(junitTests) {
		t.Errorf("a file that was written again holds %d tests, want %d", len(r.Tests), len(junitTests))
	}
}

func TestUnreadableResults(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"cut short": {junit[:len(junit)/2], "unexpected EOF"},
		"html":      {"<html></html>", "it is XML, but not of JUnit: its root is <html>"},
		"json":      {"{}", "it is JSON, but not of CTRF"},
		"bad json":  {`{"results": `, "unexpected end of JSON input"},
		"text":      {"ok 1 - tap", "it is neither JUnit XML nor CTRF JSON"},
		"empty":     {"", "it is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, `printf 'no newline'; mv from results`)
			files(t, o.Step.Dir, map[string]string{"from": tt.content})
			o.Step.Results = []string{"results"}
			r := run(t, o)
			if len(r.Tests) != 0 {
				t.Errorf("tests: %v", r.Tests)
			}
			if got := output(t, o); !strings.Contains(got, "no newline\nrehearse: the results in results cannot be read: ") || !strings.Contains(got, tt.want) {
				t.Errorf("output.log holds %q, want %q", got, tt.want)
			}
		})
	}
}

func TestControlCharacters(t *testing.T) {
	o := options(t, `printf '<testsuite><testcase name="a"><failure message="x&#27;&#x0;&#10;y&#x9;z">\001</failure></testcase></testsuite>' >r.xml`)
	o.Step.Results = []string{"r.xml"}
	want := []rehearse.Test{{Name: "a", Outcome: "failed", Message: "x\ny\tz"}}
	if diff := cmp.Diff(want, run(t, o).Tests); diff != "" {
		t.Errorf("%s\n%s", diff, output(t, o))
	}
}

func files(t *testing.T, dir string, content map[string]string) {
	t.Helper()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
