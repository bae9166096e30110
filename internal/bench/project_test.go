package bench_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
	"github.com/rehearse-dev/rehearse/internal/plan"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

func TestMain(m *testing.M) {
	process.Main()
	os.Exit(m.Run())
}

// docgen is a copy of the example, with a state directory and a cache that no
// other run has touched.
type docgen struct {
	dir, state, cache string
	env               []string
}

func newDocgen(b *testing.B) docgen {
	b.Helper()
	needPostgres(b)
	top := openDir(b)
	d := docgen{dir: filepath.Join(top, "docgen"), state: filepath.Join(top, "state"), cache: filepath.Join(top, "cache")}
	const example = "../../examples/docgen"
	for _, part := range []string{"app", "db", "profiles"} {
		if err := os.CopyFS(filepath.Join(d.dir, part), os.DirFS(filepath.Join(example, part))); err != nil {
			b.Fatal(err)
		}
	}
	for _, file := range []string{"compose.yaml", "rehearse.yaml"} {
		data, err := os.ReadFile(filepath.Join(example, file))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d.dir, file), data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(d.dir, "e2e"), 0o755); err != nil { // where its suite would be
		b.Fatal(err)
	}
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		b.Fatal(err)
	}
	// Go would put its own cache where XDG_CACHE_HOME says.
	d.env = append(os.Environ(), "XDG_STATE_HOME="+d.state, "XDG_CACHE_HOME="+d.cache, "GOCACHE="+strings.TrimSpace(string(goCache)))
	return d
}

// openDir is a directory that the services' unprivileged user can reach.
func openDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "rehearse-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	return dir
}

// plan reads the project's files and makes a plan of them, as a command does.
func (d docgen) plan(b *testing.B, leg rehearse.Leg) *rehearse.Plan {
	b.Helper()
	c, err := config.Load(filepath.Join(d.dir, "rehearse.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	p, err := compose.Load(b.Context(), compose.Options{Dir: d.dir, Name: c.Name, Env: d.env})
	if err != nil {
		b.Fatal(err)
	}
	in := plan.Input{Compose: p, Config: c, Traffic: map[string]plan.TrafficFile{}, Leg: leg, Driver: "process"}
	for _, t := range c.Traffic {
		in.Traffic[t.Name], err = profile.ReadTraffic(filepath.Join(d.dir, t.Value.Profile))
		if err != nil {
			b.Fatal(err)
		}
	}
	made, err := plan.Make(in)
	if err != nil {
		b.Fatal(err)
	}
	return made
}

// database is docgen's database service.
func (d docgen) database(b *testing.B) rehearse.Service {
	b.Helper()
	services := d.plan(b, rehearse.Staging()).Services
	return services[slices.IndexFunc(services, func(s rehearse.Service) bool { return s.Name == "db" })]
}

func needPostgres(b *testing.B) {
	b.Helper()
	s := rehearse.Service{Name: "db", Image: "postgres:15", Env: map[string]string{"POSTGRES_PASSWORD": "x"}}
	if _, err := launchPostgres(s, "", 0); err != nil {
		b.Skipf("PostgreSQL's binaries are not on this host: apt-get install postgresql (%v)", err)
	}
}

// launchPostgres asks the recipe how to start the service outside of any jail.
func launchPostgres(s rehearse.Service, data string, port int) (*recipe.Launch, error) {
	r, _ := recipe.For(s.Image)
	return r.Launch(&recipe.Context{
		Service: s, Data: data, Run: data, ListenHost: "127.0.0.1", ListenPort: port,
		In: func(program string, places ...string) (string, bool) {
			for _, place := range places {
				if found, _ := filepath.Glob(filepath.Join(place, program)); len(found) > 0 { // the patterns are well formed
					return found[len(found)-1], true
				}
			}
			return "", false
		},
		Find:  func(program string, _ ...string) (string, error) { return exec.LookPath(program) },
		Fetch: func(recipe.NPMPackage) (string, error) { return "", errors.New("benchmarks download nothing") },
	})
}

// times are measurements of one thing.
type times []time.Duration

func (t times) median() time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// report writes a median as "12.3 ms/name".
func report(b *testing.B, name string, t times) { reportTime(b, name, t.median()) }

func reportTime(b *testing.B, name string, d time.Duration) {
	b.ReportMetric(float64(d.Microseconds())/1000, "ms/"+name)
}

// only leaves the figures that mean something: with several things measured in
// one round, the time of a round is none.
func only(b *testing.B) { b.ReportMetric(0, "ns/op") }

func legs() []rehearse.Leg { return []rehearse.Leg{rehearse.Staging(), rehearse.Production()} }

// build compiles a program as the project's user would.
func build(b *testing.B, dir, pkg string) string {
	b.Helper()
	out := filepath.Join(openDir(b), "program")
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		b.Fatal(fmt.Errorf("build %s: %w: %s", pkg, err, said))
	}
	return out
}
