package acceptance

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// corrected are the arguments that make a service of the zoo the corrected one.
var corrected = []string{"-f", "compose.yaml", "-f", "compose.fixed.yaml"}

// TestZooPlans plans every service of the zoo, as it is and corrected.
func TestZooPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("builds rehearse: run without -short")
	}
	root, binary := zoo(t)
	files, err := filepath.Glob(filepath.Join(root, "*", "rehearse.yaml"))
	if err != nil || len(files) != 12 {
		t.Fatalf("%d services, %v; want 12", len(files), err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		var plans []string
		for _, args := range [][]string{nil, corrected} {
			cmd := exec.Command(binary, append([]string{"plan", "--json"}, args...)...)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: plan %v: %v\n%s", filepath.Base(dir), args, err, out)
			}
			plans = append(plans, string(out))
		}
		if plans[0] == plans[1] {
			t.Errorf("%s: compose.fixed.yaml changes nothing of the plan", filepath.Base(dir))
		}
	}
}

// TestZoo rehearses one service of the zoo; make zoo does it with all of them.
func TestZoo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute: run without -short")
	}
	root, binary := zoo(t)
	rehearsed := func(args ...string) map[string]rehearse.Outcome {
		t.Helper()
		cmd := exec.Command(binary, args...)
		cmd.Dir = filepath.Join(root, "subscribers")
		var talk strings.Builder
		cmd.Stderr = &talk
		out, err := cmd.Output()
		var r struct{ Legs []legReport }
		if jerr := json.Unmarshal(out, &r); jerr != nil {
			t.Fatalf("%v: %v, %v\n%s", args, err, jerr, talk.String())
		}
		outcomes := map[string]rehearse.Outcome{}
		for _, l := range r.Legs {
			outcomes[l.Name] = l.Outcome
			for _, f := range l.Findings {
				if f.Outcome != rehearse.Pass {
					t.Logf("%s: %s: %s, %s", l.Name, f.Check, f.Outcome, f.Got)
				}
			}
		}
		return outcomes
	}
	if got := rehearsed("compare", "--json"); got["staging"] != rehearse.Pass || got["production"] != rehearse.Fail {
		t.Errorf("subscribers: got %v, want staging pass and production fail", got)
	}
	if got := rehearsed(append([]string{"run", "--json"}, corrected...)...); got["production"] != rehearse.Pass {
		t.Errorf("subscribers, corrected: got %v, want production pass", got)
	}
}

// zoo is where the zoo is, and rehearse, built.
func zoo(t *testing.T) (root, binary string) {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(t.TempDir(), "rehearse")
	build(t, repository, binary)
	return filepath.Join(repository, "examples", "zoo"), binary
}
