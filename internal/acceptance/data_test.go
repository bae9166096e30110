package acceptance

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestData rehearses docgen with customers like those of production: their names
// break a template that staging's do not, the cause is named, and the corrected
// service prints them.
func TestData(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes: run without -short")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "rehearse")
	build(t, root, binary)
	for _, c := range []struct {
		name string
		args []string
		exit int
		says []string
	}{
		{"as it is", nil, 1, []string{"staging: PASS · production: FAIL", "POST /documents fails because db answers SQLSTATE 22021 to docgen (INSERT documents)."}},
		{"fixed", []string{"-f", "compose.yaml", "-f", "compose.fixed.yaml"}, 0, []string{"staging: PASS · production: PASS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(binary, append([]string{"compare", "--config", "rehearse.data.yaml"}, append(c.args, ".")...)...)
			cmd.Dir = filepath.Join(root, "examples", "docgen")
			out, err := cmd.Output()
			if cmd.ProcessState.ExitCode() != c.exit {
				t.Fatalf("compare: %v, want exit status %d\n%s", err, c.exit, out)
			}
			for _, want := range c.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
		})
	}
}
