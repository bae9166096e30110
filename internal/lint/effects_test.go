package lint_test

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// The process belongs to whoever started it: its arguments, its streams, its
// environment, its signals and its end are touched by commands only. Everyone
// else takes values and returns errors.
var ofTheProcess = map[string]string{
	"os.Args": "take the arguments", "os.Exit": "return an error",
	"os.Stdin": "take an io.Reader", "os.Stdout": "take an io.Writer", "os.Stderr": "take an io.Writer",
	"os.Getenv": "take the value", "os.LookupEnv": "take the value", "os.Environ": "take the values", "os.ExpandEnv": "take the values",
	"os.Setenv": "put it into the child's environment", "os.Unsetenv": "put it into the child's environment",
	"os/signal.Notify": "take a context", "os/signal.NotifyContext": "take a context", "os/signal.Ignore": "take a context",
	"fmt.Print": "take an io.Writer", "fmt.Printf": "take an io.Writer", "fmt.Println": "take an io.Writer",
	"log.Fatal": "return an error", "log.Fatalf": "return an error", "log.Fatalln": "return an error",
	"log.Print": "return an error", "log.Printf": "return an error", "log.Println": "return an error",
}

// commands are the files that are a process of their own although they are not
// in a command's package.
var commands = map[string]string{
	"internal/driver/process/main_unix.go":       "the supervisor's Main",
	"internal/driver/process/guest_linux.go":     "the supervisor of an environment",
	"internal/driver/process/shim_unix.go":       "the supervisor of a service",
	"internal/driver/process/shim_linux.go":      "the supervisor of a service",
	"internal/driver/process/reap_unix.go":       "the supervisors wait for their children",
	"internal/driver/process/plain_unix.go":      "starts a supervisor with this process's environment and stderr",
	"internal/driver/process/namespace_linux.go": "starts a supervisor with this process's stderr",
	"internal/driver/docker/reap.go":             "the reaper",
	"internal/driver/docker/main_linux.go":       "the link container's program",
	"internal/testdb/testdb.go":                  "starts servers for tests with this process's environment",
	"internal/driver/drivertest/program.go":      "the program that the conformance suite runs as a service",
}

// ofTests are packages whose process is a test's.
var ofTests = []string{"rehearsetest", "internal/testdocker"}

func TestProcessIsTheCommandsOwn(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.pkg == "internal/cli" || s.parsed.Name.Name == "main" || commands[s.file] != "" || slices.Contains(ofTests, s.pkg) {
			continue
		}
		s.uses(func(at, name string) {
			if instead, ok := ofTheProcess[name]; ok {
				t.Errorf("%s: %s belongs to internal/cli and to mains: %s instead, and let the caller decide", at, path.Base(name), instead)
			}
		})
	}
}

// pure are the packages whose results depend on their arguments alone, so that a
// plan, a verdict and a report are the same whenever they are made again.
var pure = in("plan shape verdict report canary")

func TestPurePackages(t *testing.T) {
	impure := []string{"os", "os/exec", "os/signal", "io/ioutil", "net", "net/http", "syscall", "log", "log/slog", "math/rand", "golang.org/x/sys/unix"}
	// The parts of mostly harmless packages that look at the world.
	looks := []string{
		"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick",
		"path/filepath.Abs", "path/filepath.EvalSymlinks", "path/filepath.Glob", "path/filepath.Walk", "path/filepath.WalkDir",
	}
	for _, s := range sources(t) {
		if s.test || !slices.Contains(pure, s.pkg) {
			continue
		}
		for _, i := range impure {
			if _, ok := s.imports[i]; ok {
				t.Errorf("%s imports %s: %s opens nothing and asks nobody; take what it needs as a value", s.file, i, s.pkg)
			}
		}
		s.uses(func(at, name string) {
			if slices.Contains(looks, name) {
				t.Errorf("%s: %s looks at the world: take the result as an argument", at, name)
			}
			// Chance comes from a seeded source; only its constructors and types are values.
			if f, ok := strings.CutPrefix(name, "math/rand/v2."); ok && !strings.HasPrefix(f, "New") && f != "Rand" && f != "Source" && f != "PCG" {
				t.Errorf("%s: rand.%s is not seeded by the plan: take a *rand.Rand", at, f)
			}
		})
		ast.Inspect(s.parsed, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine: %s returns values; let the caller run things side by side", s.at(n), s.pkg)
			}
			return true
		})
		if _, ok := s.imports["golang.org/x/sync/errgroup"]; ok {
			t.Errorf("%s imports errgroup: %s starts no goroutine", s.file, s.pkg)
		}
	}
}
