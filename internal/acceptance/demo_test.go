package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// legReport is what the test reads of report.json.
type legReport struct {
	Name     string
	Outcome  rehearse.Outcome
	Findings []struct {
		Check   string
		Outcome rehearse.Outcome
		Got     string
	}
}

// TestDemo runs the README's first command: the case study's bug is found, its
// fixed twin passes, and the browser has really driven the page in every leg.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes: run without -short")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "rehearse")
	build(t, root, binary)
	cmd := exec.Command(binary, "demo")
	cmd.Dir = root
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("demo: %v\n%s\n%s", err, out, talk.String())
	}
	for _, want := range []string{"staging: PASS · production: FAIL", "staging: PASS · production: PASS"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demonstration does not say %q", want)
		}
	}
	reports := regexp.MustCompile(`(?m)^  (\S+report\.html)$`).FindAllStringSubmatch(string(out), -1)
	if len(reports) != 2 {
		t.Fatalf("it names %d reports, want 2:\n%s", len(reports), out)
	}
	for i, m := range reports {
		dir := filepath.Dir(filepath.Join(root, m[1]))
		if page, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !strings.Contains(string(page), "<svg") {
			t.Errorf("no page with charts: %v", err)
		}
		r := readReport(t, dir)
		if i == 0 {
			requireDiagnosis(t, r.Diagnosis)
		} else if r.Diagnosis != nil {
			t.Errorf("the corrected service has a diagnosis: %s", r.Diagnosis.Sentence)
		}
		for _, leg := range r.Legs {
			want := rehearse.Pass
			if i == 0 && leg.Name == "production" {
				want = rehearse.Fail
			}
			if leg.Outcome != want {
				t.Errorf("compare %d, leg %s: %s, want %s", i+1, leg.Name, leg.Outcome, want)
			}
			requireBrowser(t, leg)
			again := exec.Command(binary, "judge", dir)
			again.Dir = root
			if out, err := again.CombinedOutput(); !strings.Contains(string(out), leg.Name+": "+strings.ToUpper(string(leg.Outcome))) {
				t.Errorf("judged again: %v\n%s", err, out)
			}
		}
	}
}

// build builds rehearse.
func build(t *testing.T, root, binary string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", binary, root+"/cmd/rehearse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}

// runReport is what the tests read of report.json.
type runReport struct {
	Legs      []legReport
	Diagnosis *rehearse.Diagnosis
}

func readReport(t *testing.T, dir string) runReport {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r runReport
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Legs) != 2 {
		t.Fatalf("the report has %d legs, want 2", len(r.Legs))
	}
	return r
}

// requireBrowser fails unless the suite ran: it is optional for users, not here.
func requireBrowser(t *testing.T, leg legReport) {
	t.Helper()
	for _, c := range leg.Findings {
		if c.Check == "e2e: suite" {
			if c.Outcome != rehearse.Pass {
				t.Errorf("leg %s: the browser suite: %s, %s; it needs chromium, and npm ci in examples/docgen/e2e", leg.Name, c.Outcome, c.Got)
			}
			return
		}
	}
	t.Errorf("leg %s: no finding of the browser suite", leg.Name)
}
