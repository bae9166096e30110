package acceptance

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// TestDiagnosisWithSDK rehearses docgen built with its SDK: the cause is the same
// as without, which TestDemo looks at, and the SDK's spans and the links' are in
// the same traces.
func TestDiagnosisWithSDK(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute: run without -short")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "rehearse")
	build(t, root, binary)
	cmd := exec.Command(binary, "compare", "--config", "rehearse.sdk.yaml", ".")
	cmd.Dir = filepath.Join(root, "examples", "docgen")
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("compare: %v, want exit status 1\n%s", err, out)
	}
	m := regexp.MustCompile(`(?m)^report: (\S+)$`).FindStringSubmatch(string(out))
	if m == nil {
		t.Fatalf("it names no report:\n%s", out)
	}
	requireDiagnosis(t, readReport(t, filepath.Dir(filepath.Join(cmd.Dir, m[1]))).Diagnosis)

	show := exec.Command(binary, "trace", "ls", "--json", "--leg", "staging", "--operation", "docgen POST /documents", "-n", "1")
	show.Dir = cmd.Dir
	row, err := show.Output()
	if err != nil {
		t.Fatalf("trace ls: %v\n%s", err, row)
	}
	id := regexp.MustCompile(`"id":"([0-9a-f]{32})"`).FindStringSubmatch(string(row))
	if id == nil {
		t.Fatalf("trace ls names no trace: %s", row)
	}
	show = exec.Command(binary, "trace", "show", id[1], "--leg", "staging")
	show.Dir = cmd.Dir
	picture, err := show.Output()
	if err != nil {
		t.Fatalf("trace show: %v\n%s", err, picture)
	}
	// The link's span, the service's own below it, and the queries, once each.
	for _, want := range []string{"ingress", "docgen", "BEGIN", "INSERT", "COMMIT"} {
		if strings.Count(string(picture), want) == 0 {
			t.Errorf("the waterfall does not show %q:\n%s", want, picture)
		}
	}
}

// requireDiagnosis checks that the cause of docgen's failure is named from the
// evidence: what is waited for, what holds each connection, and how many there
// are.
func requireDiagnosis(t *testing.T, d *rehearse.Diagnosis) {
	t.Helper()
	if d == nil {
		t.Fatal("there is no diagnosis")
	}
	if len(d.Facts) != 3 {
		t.Errorf("it has %d facts, want 3", len(d.Facts))
	}
	all := d.Sentence
	for _, f := range d.Facts {
		all += "\n" + f.Text
	}
	for _, want := range []string{
		`waits for a connection on docgen → db`,
		`5 sequential round trips × 84ms`,
		`At most 8 connections`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the diagnosis does not say %q:\n%s", want, all)
		}
	}
	for _, o := range d.Operations {
		var sum time.Duration
		for _, p := range o.Parts {
			sum += time.Duration(p.Change)
		}
		if sum != time.Duration(o.Change) {
			t.Errorf("%s: the parts come to %v, the change is %v", o.Operation, sum, o.Change)
		}
	}
}
