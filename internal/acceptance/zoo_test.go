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

// TestZoo plans every service of the zoo, as it is and corrected, and rehearses one
// of them; make zoo does it with all.
func TestZoo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute: run without -short")
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary, root := filepath.Join(t.TempDir(), "rehearse"), filepath.Join(repository, "examples", "zoo")
	build(t, repository, binary)
	t.Run("plans", func(t *testing.T) { planZoo(t, binary, root) })
	t.Run("subscribers", func(t *testing.T) {
		dir := filepath.Join(root, "subscribers")
		if got := outcomes(t, binary, dir, "compare"); got["staging"] != rehearse.Pass || got["production"] != rehearse.Fail {
			t.Errorf("got %v, want staging pass and production fail", got)
		}
		if got := outcomes(t, binary, dir, append([]string{"run"}, corrected...)...); got["production"] != rehearse.Pass {
			t.Errorf("corrected: got %v, want production pass", got)
		}
	})
}

// planZoo plans every service, as it is and corrected.
func planZoo(t *testing.T, binary, root string) {
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

// outcomes are those of the legs of a rehearsal.
func outcomes(t *testing.T, binary, dir string, args ...string) map[string]rehearse.Outcome {
	t.Helper()
	cmd := exec.Command(binary, append(args, "--json")...)
	cmd.Dir = dir
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	var r struct{ Legs []legReport }
	if jerr := json.Unmarshal(out, &r); jerr != nil {
		t.Fatalf("%v: %v, %v\n%s", args, err, jerr, talk.String())
	}
	got := map[string]rehearse.Outcome{}
	for _, l := range r.Legs {
		got[l.Name] = l.Outcome
		for _, f := range l.Findings {
			if f.Outcome != rehearse.Pass {
				t.Logf("%s: %s: %s, %s", l.Name, f.Check, f.Outcome, f.Got)
			}
		}
	}
	return got
}
