package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
)

// Compose files in the manner of public samples, one after the other with all
// the profiles that they have, give plans for containers; what these say of
// them stands in samples.golden.txt.
func TestSamples(t *testing.T) { planAll(t, "samples") }

// So do those that others wrote, for another program's tests.
func TestFilesOfOthers(t *testing.T) { planAll(t, "compose-e2e") }

// planAll plans every project in a directory, and compares what the plans say with
// a golden file of the directory's name.
func planAll(t *testing.T, dir string) {
	entries, err := os.ReadDir(composeData(dir))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		loaded, err := compose.Load(t.Context(), compose.Options{
			Dir: composeData(filepath.Join(dir, e.Name())), Profiles: []string{"*"}, Driver: "docker",
			Env: []string{"GRAFANA_ADMIN=x", "NPM_TOKEN=x", "TOKEN=x"},
		})
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		p, err := Make(Input{Compose: loaded, Leg: rehearse.Production(), Driver: "docker"})
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		checkPlan(t, p)
		describe(&got, e.Name(), p)
	}
	file := filepath.Join("testdata", dir+".golden.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// describe writes what a plan holds and what it notes.
func describe(b *strings.Builder, name string, p *rehearse.Plan) {
	fmt.Fprintf(b, "%s\n", name)
	for _, s := range p.Services {
		fmt.Fprintf(b, "  %s", s.Name)
		for _, probe := range s.Ready.Probes {
			switch {
			case probe.Port != 0:
				fmt.Fprintf(b, ", port %d", probe.Port)
			case probe.Query != "":
				fmt.Fprintf(b, ", query %s", probe.Query)
			default:
				b.WriteString(", healthcheck")
			}
		}
		if s.Job {
			b.WriteString(", a job")
		}
		b.WriteString("\n")
	}
	for _, l := range p.Links {
		if l.Declared {
			fmt.Fprintf(b, "  link %s %v\n", l.ID, l.Ports)
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintf(b, "  note %s\n", strings.TrimSpace(strings.Join([]string{string(n.Service), n.Field, n.Text}, " ")))
	}
}
