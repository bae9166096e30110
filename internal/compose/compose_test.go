package compose

import (
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

var update = flag.Bool("update", false, "write the golden files")

var env = []string{"TOKEN=from-the-shell", "PORT=", "PORT=9001", "API_KEY=very-secret"}

// Every project in testdata loads, and to what its golden file says.
func TestGolden(t *testing.T) {
	for _, name := range projects(t) {
		t.Run(name, func(t *testing.T) {
			p, err := Load(t.Context(), Options{Dir: filepath.Join("testdata", name), Env: env})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, p)
		})
	}
}

// What containers alone can do is mapped for them, and for no other driver.
func TestContainers(t *testing.T) {
	for _, name := range []string{"build", "hardened", "hooks", "vpn-sidecar", "jobs-and-models"} {
		t.Run(name, func(t *testing.T) {
			options := Options{Dir: filepath.Join("testdata", "samples", name), Env: []string{"NPM_TOKEN=very-secret"}, Driver: "docker"}
			p, err := Load(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "docker-"+name, p)
			options.Driver = ""
			if p, err = Load(t.Context(), options); err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Services {
				if s.Container != nil {
					t.Errorf("%s: got a container for the process driver", s.Name)
				}
			}
		})
	}
}

func projects(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "samples" && e.Name() != "compose-e2e" {
			names = append(names, e.Name())
		}
	}
	return names
}

func golden(t *testing.T, name string, p *Project) {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(b.String(), p.Dir, "/project")
	file := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestOptions(t *testing.T) {
	override := filepath.Join("testdata", "override")
	tests := []struct {
		name, want string
		options    Options
		look       func(p *Project) string
	}{
		{"override file is found", "docker-compose.yml docker-compose.override.yml", Options{Dir: override},
			func(p *Project) string { return strings.Join(p.Files, " ") }},
		{"explicit files leave the override out", "example/web:stable test", Options{Dir: override, Files: []string{"docker-compose.yml", "third.yml"}},
			func(p *Project) string { return service(p, "web").Image + " " + service(p, "web").Env["MODE"] }},
		{"without Dir", "override docker-compose.yml", Options{Files: []string{filepath.Join(override, "docker-compose.yml")}},
			func(p *Project) string { return filepath.Base(p.Dir) + " " + strings.Join(p.Files, " ") }},
		{"COMPOSE_FILE", "docker-compose.yml third.yml", Options{Dir: override, Env: []string{"COMPOSE_FILE=docker-compose.yml:third.yml"}},
			func(p *Project) string { return strings.Join(p.Files, " ") }},
		{"name", "rehearsal", Options{Dir: override, Name: "rehearsal"}, func(p *Project) string { return p.Name }},
		{"no profile", "web", Options{Dir: "testdata/profiles"}, serviceNames},
		{"profile", "mail web", Options{Dir: "testdata/profiles", Profiles: []string{"mail"}}, serviceNames},
		{"COMPOSE_PROFILES", "debugger mail web", Options{Dir: "testdata/profiles", Env: []string{"COMPOSE_PROFILES=debug"}}, serviceNames},
		{"env file", "docker.io/example/api:9", Options{Dir: "testdata/interpolation", EnvFiles: []string{"defaults.env"}, Env: []string{"TAG=9"}},
			func(p *Project) string { return service(p, "api").Image }},
		{"the environment wins over .env", "9001", Options{Dir: "testdata/interpolation", Env: env},
			func(p *Project) string { return service(p, "api").Ports[0].Published }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Load(t.Context(), tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.look(p); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func service(p *Project, name rehearse.ServiceName) rehearse.Service {
	i := slices.IndexFunc(p.Services, func(s rehearse.Service) bool { return s.Name == name })
	return p.Services[i]
}

func serviceNames(p *Project) string {
	var names []string
	for _, s := range p.Services {
		names = append(names, string(s.Name))
	}
	return strings.Join(names, " ")
}

func TestNoFile(t *testing.T) {
	tests := []struct {
		name, want string
		options    Options
	}{
		{"none", "no Compose file in DIR", Options{}},
		{"named", "DIR/other.yaml: there is no such Compose file", Options{Files: []string{"other.yaml"}}},
		{"directory", "DIR: this is a directory, not a Compose file", Options{Files: []string{"."}}},
		{"env file", "DIR/no.env: cannot read the env file: no such file or directory", Options{EnvFiles: []string{"no.env"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Dir = t.TempDir()
			_, err := Load(t.Context(), tt.options)
			if err == nil || rehearse.KindOf(err) != rehearse.Invalid {
				t.Fatalf("got %v, want an error of kind Invalid", err)
			}
			if got := strings.ReplaceAll(err.Error(), tt.options.Dir, "DIR"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A secret's value is in no part of the project that goes into a plan.
func TestSecretsStayOut(t *testing.T) {
	p, err := Load(t.Context(), Options{Dir: "testdata/secrets", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p.Services)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "very-secret") {
		t.Error("the services hold the value of a secret")
	}
	if got := p.Variables["API_KEY"]; got != "very-secret" {
		t.Errorf("got variable %q, want very-secret", got)
	}
}

func TestPortRange(t *testing.T) {
	for text, want := range map[string]bool{
		"80": true, "80/tcp": true, "53/udp": true, "3000-3005": true,
		"": false, "a": false, "5-2": false, "0": false, "70000": false, "-": false,
	} {
		if _, _, _, got := portRange(text); got != want {
			t.Errorf("portRange(%q): got %v, want %v", text, got, want)
		}
	}
}

// A healthcheck without a test says how long the image's own may take.
func TestReadinessOfTheImage(t *testing.T) {
	start := types.Duration(3 * time.Minute)
	h := &types.HealthCheckConfig{StartPeriod: &start}
	for image, want := range map[bool]time.Duration{false: time.Minute, true: 6 * time.Minute} {
		r := readiness(h, image)
		if got := time.Duration(r.Timeout); got != want || len(r.Probes) > 0 {
			t.Errorf("image %v: got %v and %v, want %v and no probe", image, got, r.Probes, want)
		}
	}
}

func TestExposed(t *testing.T) {
	const text = `# EXPOSE 1
from --platform=$BUILDPLATFORM golang AS Build
EXPOSE 80 \
  443/tcp
FROM build as debug
EXPOSE 2345 $PORT
FROM scratch
COPY --from=build /app /app
expose 8080/udp
`
	for target, want := range map[string]string{
		"": "8080/udp", "build": "80 443/tcp", "debug": "80 443/tcp 2345 $PORT", "1": "80 443/tcp 2345 $PORT", "none": "",
	} {
		if got := strings.Join(exposed(text, target), " "); got != want {
			t.Errorf("target %q: got %q, want %q", target, got, want)
		}
	}
}

// Whatever the file holds, Load answers without a panic, and its errors are ones
// that a person can act on.
func FuzzLoad(f *testing.F) {
	err := filepath.WalkDir("testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "ml") {
			return err
		}
		data, err := os.ReadFile(path)
		f.Add(data)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, driver := range []string{"process", "docker"} {
			if _, err := Load(t.Context(), Options{Dir: dir, Driver: driver}); err != nil && rehearse.KindOf(err) != rehearse.Invalid {
				t.Errorf("%s: got kind %v for %v", driver, rehearse.KindOf(err), err)
			}
		}
	})
}
