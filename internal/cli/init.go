package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/plan"
	"github.com/rehearse-dev/rehearse/internal/recipe"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) initCommand() *cobra.Command {
	var f projectFlags
	var force, stdout bool
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a first rehearse.yaml from compose.yaml",
		Long: `Read the Compose file and what lies beside it, and write a rehearse.yaml with
comments: how each service starts where it does not run as a container, where
the network's distances go, and a first small load on the service that the
outside can reach. It asks nothing that it can find out, and marks what only you
can know.`,
		Example: "  rehearse init\n  rehearse init --print",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Config = "/dev/null" // there is none yet, or it is to be replaced
			p, err := a.load(cmd.Context(), f, args)
			if err != nil {
				return err
			}
			files := firstConfig(cmd.Context(), p)
			if stdout {
				_, err := fmt.Fprint(a.stdout, files["rehearse.yaml"])
				return err
			}
			var problems rehearse.Problems
			for _, name := range slices.Backward(slices.Sorted(maps.Keys(files))) { // rehearse.yaml first
				path := filepath.Join(p.Dir, name)
				if _, err := os.Stat(path); err == nil && !force {
					problems = append(problems, &rehearse.Error{Kind: rehearse.Invalid, File: shortPath(path), Msg: "it is there already", Hint: "Look at what init would write with --print, or replace it with --force."})
				}
			}
			if err := problems.Err(); err != nil {
				return err
			}
			for _, name := range slices.Backward(slices.Sorted(maps.Keys(files))) {
				path, content := filepath.Join(p.Dir, name), files[name]
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
					return err
				}
				fmt.Fprintf(a.stderr, "wrote %s\n", shortPath(path))
			}
			next := "next: rehearse plan, then rehearse run"
			if strings.Contains(files["rehearse.yaml"], "FILL IN") {
				next = "next: fill in what is marked FILL IN, then rehearse plan"
			}
			_, err = fmt.Fprintln(a.stderr, next)
			return err
		},
	}
	f.add(c)
	_ = c.Flags().MarkHidden("config")
	_ = c.Flags().MarkHidden("seed")
	c.Flags().BoolVar(&force, "force", false, "replace files that are there")
	c.Flags().BoolVar(&stdout, "print", false, "print rehearse.yaml instead of writing files")
	return c
}

// firstExperiments are the experiments that fit the project, as a comment.
func firstExperiments(p *stand.Project) string {
	made, err := p.Plan(rehearse.Production())
	if err != nil {
		return "" // what is wrong shows when the file is used
	}
	fitting := plan.Suggest(made)
	if len(fitting) == 0 {
		return ""
	}
	return "\n# What to break on purpose while that traffic comes, see docs/experiments.md.\n" + suggestions(fitting, "# ")
}

// firstConfig is rehearse.yaml, and the traffic profile it refers to.
func firstConfig(_ context.Context, p *stand.Project) map[string]string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What production is like, and what to rehearse. The format is described in\n# docs/rehearse-yaml.md. compose.yaml says what runs, and stays as it is.\nname: %s\n\nservices:\n", p.Compose.Name)
	entry := ""
	for _, s := range p.Compose.Services {
		fmt.Fprintf(&b, "  %s:\n", s.Name)
		b.WriteString(serviceConfig(p, s))
		if entry == "" {
			for _, port := range s.Ports {
				if port.Published != "" {
					entry = string(s.Name)
				}
			}
		}
	}
	b.WriteString(`
# Production's distances. Say in which region each service runs (region: above),
# and how far the regions are from each other. Staging has no distance at all.
# network:
#   between:
#     - {regions: [eu-west-1, us-east-1], rtt: 84ms, jitter: 6ms, rate: 1Gbit}

# Your own tests. ${NAME.url} is where a service is reached from this host.
# suites:
#   e2e: {command: [npm, test], env: {BASE_URL: "${` + orDefault(entry, "web") + `.url}"}}
`)
	files := map[string]string{}
	if entry == "" {
		b.WriteString("\n# No service publishes a port, so there is nothing to send traffic to. Without\n# steps a rehearsal shows that every service becomes ready and stays up.\nrehearsal: []\n")
	} else {
		fmt.Fprintf(&b, `
# Production's traffic. The profile is a guess; replace it by what your users do.
traffic:
  first: {profile: profiles/first.traffic.yaml, target: %s}

rehearsal:
  - load: first
    thresholds: ["http_req_failed rate<0.01", "http_req_duration p(99)<1s"]
`, entry)
		files["profiles/first.traffic.yaml"] = firstTraffic
		b.WriteString(firstExperiments(p))
	}
	files["rehearse.yaml"] = b.String()
	return files
}

const firstTraffic = `# What arrives, and when. The format is described in docs/traffic-profile.md.
version: 1
description: a first guess; replace it by what your users do
duration: 15s
arrivals: poisson
timeout: 10s
rate:
  - {at: 0s, rps: 2}
  - {at: 5s, rps: 10}
  - {at: 15s, rps: 10}
requests:
  - {name: home, path: /}
`

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// serviceConfig is a service's lines, indented.
func serviceConfig(p *stand.Project, s rehearse.Service) string {
	var b strings.Builder
	b.WriteString("    # region: eu-west-1\n")
	r, known := recipe.For(s.Image)
	switch {
	case p.Driver() == "docker":
		// As the Compose file says. A process here would be taken for how to start
		// it without an engine.
		if s.Build == nil {
			fmt.Fprintf(&b, "    # %s runs as a container.\n", s.Image)
		} else {
			b.WriteString("    # Its image is built, and runs as a container.\n")
		}
		return b.String()
	case s.Build == nil && known:
		fmt.Fprintf(&b, "    # %s runs from this host's %s, by a recipe.\n", s.Image, r.Name)
	default:
		build, command, why := guessProcess(s)
		fmt.Fprintf(&b, "    # %s\n    process:\n", why)
		if len(build) > 0 {
			fmt.Fprintf(&b, "      build: %s\n", flow(build))
		}
		fmt.Fprintf(&b, "      command: %s\n", flow(command))
	}
	if len(s.Ports) == 0 && !known {
		b.WriteString("    # ports: [8080]    # FILL IN: where does it listen? The Compose file does not say.\n")
	}
	return b.String()
}

// flow writes a list as YAML, in which JSON's strings are strings.
func flow(args []string) string {
	data, err := json.Marshal(args)
	if err != nil {
		return "[]"
	}
	return strings.ReplaceAll(string(data), `","`, `", "`)
}

// guessProcess finds out how a service is built and started without its image,
// from what lies in its directory.
func guessProcess(s rehearse.Service) (build, command []string, why string) {
	if s.Build == nil {
		command = append(append([]string{}, s.Entrypoint...), s.Command...)
		if len(command) > 0 {
			return nil, command, "Without Docker: what the Compose file starts in " + s.Image + ", if this host has it."
		}
		return nil, []string{"FILL IN"}, "FILL IN: how does what is in " + s.Image + " start without Docker? There is no recipe for it."
	}
	dir := s.Build.Context
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	started := append(append([]string{}, s.Entrypoint...), s.Command...)
	if len(started) == 0 {
		started = dockerfileCommand(filepath.Join(dir, orDefault(s.Build.Dockerfile, "Dockerfile")))
	}
	switch {
	case has("go.mod"):
		return []string{"go", "build", "-o", "${out}/" + string(s.Name), goMain(dir)}, []string{"${out}/" + string(s.Name)}, "A Go module: built on this host, and again only when it changes."
	case has("package.json"):
		if len(started) == 0 {
			started = []string{"npm", "start"}
		}
		return nil, started, "A Node program. Its node_modules must be installed."
	case has("manage.py"), has("requirements.txt"), has("pyproject.toml"):
		if len(started) == 0 {
			started = []string{"python3", "main.py"}
		}
		return nil, started, "A Python program. Its packages must be installed."
	case has("Cargo.toml"):
		return []string{"cargo", "build", "--release", "--target-dir", "${out}"}, []string{"${out}/release/" + string(s.Name)}, "A Rust program."
	case len(started) > 0:
		return nil, started, "What its image starts; the program must be on this host."
	}
	return nil, []string{"FILL IN"}, "FILL IN: how does this service start without Docker?"
}

// goMain finds the package to build: the only one below cmd, else the directory
// itself.
func goMain(dir string) string {
	found, err := filepath.Glob(filepath.Join(dir, "cmd", "*", "main.go"))
	if err != nil || len(found) != 1 {
		return "."
	}
	return "./cmd/" + filepath.Base(filepath.Dir(found[0]))
}

var dockerfileLine = regexp.MustCompile(`(?m)^\s*(ENTRYPOINT|CMD)\s+(\[.*\]|.+)$`)

// dockerfileCommand is what a Dockerfile's last stage starts.
func dockerfileCommand(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	last := map[string][]string{}
	for _, m := range dockerfileLine.FindAllStringSubmatch(string(data), -1) {
		var args []string
		if json.Unmarshal([]byte(m[2]), &args) != nil {
			args = []string{"/bin/sh", "-c", strings.TrimSpace(m[2])}
		}
		last[m[1]] = args
	}
	return append(last["ENTRYPOINT"], last["CMD"]...)
}
