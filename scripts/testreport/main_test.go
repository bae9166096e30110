package main

import (
	"strings"
	"testing"
)

const stream = `# a line of the go command's own
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"noise of a test that passed\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0.1}
{"Action":"output","Package":"p","Test":"TestTier","Output":"    p_test.go:12: this tier shares the host's network\n"}
{"Action":"skip","Package":"p","Test":"TestTier"}
{"Action":"pass","Package":"p","Elapsed":0.2}
`

func digest(t *testing.T, in string, expected ...skip) (string, bool) {
	t.Helper()
	var out strings.Builder
	r := &report{out: &out, expected: expected, output: map[test]*strings.Builder{}}
	if err := r.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	ok := r.end()
	return out.String(), ok
}

func TestReport(t *testing.T) {
	expected, err := readSkips("../expected-skips.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, more string
		ok         bool
		contains   []string
		lacks      string
	}{
		{name: "unexpected skip", contains: []string{"p.TestTier: this tier shares the host's network", "nobody expected it", "1 passed, 0 failed, 1 skipped"}, lacks: "noise"},
		{name: "failure", more: `{"Action":"output","Package":"q","Test":"TestBad","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"q","Test":"TestBad"}
{"Action":"fail","Package":"q"}
`, contains: []string{"FAIL  q.TestBad", "got 1, want 2", "1 passed, 1 failed"}},
		{name: "build", more: `{"ImportPath":"q [q.test]","Action":"build-output","Output":"undefined: x\n"}
{"ImportPath":"q [q.test]","Action":"build-fail"}
{"Action":"fail","Package":"q","FailedBuild":"q [q.test]"}
`, contains: []string{"undefined: x", "1 passed, 1 failed"}},
		{name: "panic", more: `{"Action":"output","Package":"q","Test":"TestStuck","Output":"panic: no\n"}
{"Action":"fail","Package":"q"}
`, contains: []string{"FAIL  q.TestStuck", "panic: no", "1 passed, 1 failed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := digest(t, stream+tt.more, expected...)
			if ok {
				t.Error("it says that all is well")
			}
			for _, want := range tt.contains {
				if !strings.Contains(got, want) {
					t.Errorf("it does not say %q:\n%s", want, got)
				}
			}
			if tt.lacks != "" && strings.Contains(got, tt.lacks) {
				t.Errorf("it says %q:\n%s", tt.lacks, got)
			}
			if !strings.HasSuffix(got, " skipped\n") {
				t.Errorf("the last line is not the count:\n%s", got)
			}
		})
	}
}

func TestExpectedSkip(t *testing.T) {
	expected, err := readSkips("../expected-skips.txt")
	if err != nil {
		t.Fatal(err)
	}
	in := strings.NewReplacer(
		`"p"`, `"github.com/rehearse-dev/rehearse/internal/driver/process"`, "TestTier", "TestConformance/ports/nothing_leaves_without_a_link").Replace(stream)
	got, ok := digest(t, in, expected...)
	if !ok || !strings.HasPrefix(got, "# a line of the go command's own\n") || strings.Contains(got, "nobody expected") {
		t.Errorf("all is not well:\n%s", got)
	}
}

func TestNothingRan(t *testing.T) {
	if got, ok := digest(t, ""); ok {
		t.Errorf("a run without a test is well:\n%s", got)
	}
}
