package lint_test

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is the part of action.yml that is checked.
type action struct {
	Inputs  map[string]yaml.Node
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []step
	}
}

// step is one of an action or a workflow.
type step struct {
	ID, If, Uses, Run, Shell string
	With, Env                map[string]string
}

var (
	inputUsed  = regexp.MustCompile(`inputs\.([\w-]+)`)
	stepOutput = regexp.MustCompile(`steps\.([\w-]+)\.outputs\.([\w-]+)`)
	pinned     = regexp.MustCompile(`^[\w-]+/[\w-]+@v\d+$`)
)

func readYAML(t *testing.T, file string, into any) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return string(data)
}

// TestAction holds action.yml to itself and to rehearse ci: every input is used and
// every one that is used is there; every output is one that the command writes; every
// other action is pinned by its major version; no script holds an expression, into
// which a title or a branch could write commands.
func TestAction(t *testing.T) {
	var a action
	text := readYAML(t, "action.yml", &a)
	used := map[string]bool{}
	for _, m := range inputUsed.FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
	}
	if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(a.Inputs)); !slices.Equal(got, want) {
		t.Errorf("action.yml uses the inputs %v, and declares %v", got, want)
	}
	ci, err := os.ReadFile(filepath.Join(root, "internal/cli/ci.go"))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, s := range a.Runs.Steps {
		checkStep(t, "action.yml", s)
		if s.Run != "" && s.Shell == "" {
			t.Errorf("action.yml: a step of a composite action needs a shell: %s", s.Run)
		}
		ids[s.ID] = true
	}
	for _, m := range stepOutput.FindAllStringSubmatch(text, -1) {
		if !ids[m[1]] || !strings.Contains(string(ci), `"`+m[2]+`"`) {
			t.Errorf("action.yml reads %s, which rehearse ci does not write", m[0])
		}
		if _, ok := a.Outputs[m[2]]; !ok {
			t.Errorf("action.yml has no output %s", m[2])
		}
	}
}

func checkStep(t *testing.T, file string, s step) {
	t.Helper()
	if s.Uses != "" && !pinned.MatchString(s.Uses) {
		t.Errorf("%s: pin %s by its major version", file, s.Uses)
	}
	if strings.Contains(s.Run, "${{") {
		t.Errorf("%s: a script takes expressions from variables alone: %s", file, s.Run)
	}
}

// TestWorkflows: what the templates give our action is an input of it, they ask for no
// more than they need, and docs/ci.md shows them as they are.
func TestWorkflows(t *testing.T) {
	var a action
	readYAML(t, "action.yml", &a)
	docs, err := os.ReadFile(filepath.Join(root, "docs/ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	templates, err := filepath.Glob(filepath.Join(root, "templates", "*.yml"))
	if err != nil || len(templates) != 3 {
		t.Fatalf("got the templates %v, %v", templates, err)
	}
	for _, file := range templates {
		name := path.Join("templates", filepath.Base(file))
		var w struct {
			Permissions map[string]string
			Jobs        map[string]struct{ Steps []step }
		}
		text := readYAML(t, name, &w)
		if !strings.Contains(string(docs), "```yaml\n"+text+"```\n") {
			t.Errorf("docs/ci.md does not show %s as it is", name)
		}
		if strings.Contains(name, "gitlab") {
			continue
		}
		for permission, level := range w.Permissions {
			if level == "write" && permission != "pull-requests" && permission != "checks" {
				t.Errorf("%s: nobody needs %s: write", name, permission)
			}
		}
		for _, job := range w.Jobs {
			for _, s := range job.Steps {
				checkStep(t, name, s)
				if !strings.HasPrefix(s.Uses, "rehearse-dev/rehearse@") {
					continue
				}
				for input := range s.With {
					if _, ok := a.Inputs[input]; !ok {
						t.Errorf("%s: the action has no input %s", name, input)
					}
				}
			}
		}
		if strings.Contains(text, "workflow_run:") && strings.Contains(text, "actions/checkout") {
			t.Errorf("%s: a trusted workflow checks out nothing", name)
		}
	}
}
