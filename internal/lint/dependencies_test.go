package lint_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// library is a library from outside and the packages that may import it. Tests
// may import any that is listed: they put nothing into the binary.
type library struct {
	prefix string
	in     []string
	why    string // where it has more than one importer, or an unexpected one
}

var libraries = []library{
	{prefix: "github.com/compose-spec/compose-go/v2", in: in("compose")},
	{prefix: "github.com/sirupsen/logrus", in: in("compose"), why: "compose-go logs with it, and is told to be quiet"},
	{prefix: "go.yaml.in/yaml/v3", in: in("config document llm profile"), why: "formats of our own, all strict and with file:line; what two of them share is document's"},
	{
		prefix: "github.com/jackc/pgx/v5", in: in("churn database dataset migration parity postgres postgres/load recipe"),
		why: "a recipe asks whether its server answers; the others each ask a server different things, and share connections",
	},
	{prefix: "github.com/go-sql-driver/mysql", in: in("mysql recipe"), why: "a recipe asks whether its server answers"},
	{prefix: "github.com/parquet-go/parquet-go", in: in("export")},
	{prefix: "github.com/anthropics/anthropic-sdk-go/v2", in: in("llm")},
	{prefix: "github.com/google/go-github/v93", in: in("forge")},
	{prefix: "github.com/vishvananda/netlink", in: in("driver/process")},
	{prefix: "github.com/vishvananda/netns", in: in("driver/process")},
	{prefix: "github.com/spf13/cobra", in: in("cli")},
	{prefix: "github.com/spf13/pflag", in: in("cli"), why: "cobra's flags"},
	{prefix: "github.com/moby/moby", in: in("driver/docker podman testdocker"), why: "the engine's client; tests ask the engine themselves"},
	{prefix: "github.com/moby/patternmatcher", in: in("driver/docker"), why: ".dockerignore"},
	{prefix: "github.com/containerd/errdefs", in: in("driver/docker"), why: "the kinds of the engine's errors"},
	{prefix: "github.com/distribution/reference", in: in("driver/docker"), why: "the names of images"},
	{prefix: "github.com/opencontainers/image-spec", in: in("driver/docker"), why: "an image's platform"},
	{prefix: "github.com/hashicorp/yamux", in: in("switchboard")},
	{prefix: "golang.org/x/net", in: in("switchboard wire/http2"), why: "hpack; messages of DNS and programs of the packet filter"},
	{prefix: "golang.org/x/term", in: in("cli driver/docker"), why: "widths and colours; a terminal that is handed to a container"},
	{
		prefix: "golang.org/x/sys", in: in("cli driver driver/docker driver/process environment link load packet packet/packettest parity passing ramdisk snapshot switchboard testdocker"),
		why: "the operating system's own calls, which the standard library has frozen: passed files, namespaces, locks, timers, the names of signals",
	},
	{prefix: "github.com/klauspost/compress", in: in("telemetry"), why: "zstd"},
	{prefix: "github.com/google/go-cmp", why: "tests"},
	{prefix: "github.com/rogpeppe/go-internal", why: "tests: testscript"},
}

func outside(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	_, our := ours(imported)
	return strings.Contains(first, ".") && !our
}

func below(imported, prefix string) bool {
	return imported == prefix || strings.HasPrefix(imported, prefix+"/")
}

func TestOneImporter(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range slices.Sorted(maps.Keys(s.imports)) {
			if !outside(imported) {
				continue
			}
			i := slices.IndexFunc(libraries, func(l library) bool { return below(imported, l.prefix) })
			switch {
			case s.pkg == "." && !s.test:
				t.Errorf("%s imports %s: the root package imports only the standard library", s.file, imported)
			case i < 0:
				t.Errorf("%s imports %s: a new dependency is a decision; say which one package may import it in internal/lint/dependencies_test.go, and why it is there in docs/DEPENDENCIES.md", s.file, imported)
			case s.test:
			case len(libraries[i].in) == 0:
				t.Errorf("%s imports %s, which is for tests only", s.file, imported)
			case !slices.Contains(libraries[i].in, s.pkg):
				t.Errorf("%s imports %s, which only %s may: call that package instead", s.file, imported, strings.Join(libraries[i].in, ", "))
			}
		}
	}
}

// TestDependenciesDocumented holds the table of docs/DEPENDENCIES.md to what this
// module imports. What is direct is asked of the imports: go.mod's comments say
// it only after a go mod tidy.
func TestDependenciesDocumented(t *testing.T) {
	required := requirements(t)
	direct := map[string]string{}
	for _, s := range sources(t) {
		for imported := range s.imports {
			if !outside(imported) {
				continue
			}
			var of string
			for _, m := range required {
				if below(imported, m) && len(m) > len(of) {
					of = m
				}
			}
			if of == "" {
				t.Errorf("%s imports %s, which go.mod does not require: go get it", s.file, imported)
				continue
			}
			direct[of] = s.file
		}
	}
	listed := map[string]bool{}
	doc, err := os.ReadFile(filepath.Join(root, "docs/DEPENDENCIES.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		if listed[row[1]] {
			t.Errorf("docs/DEPENDENCIES.md names %s twice", row[1])
		}
		listed[row[1]] = true
		if direct[row[1]] == "" {
			t.Errorf("docs/DEPENDENCIES.md names %s, which nothing imports: take its line out", row[1])
		}
	}
	for _, m := range slices.Sorted(maps.Keys(direct)) {
		if !listed[m] {
			t.Errorf("%s imports %s, which docs/DEPENDENCIES.md does not name: add a line that says why it is there", direct[m], m)
		}
	}
}

// requirements are the modules that go.mod requires, direct or not.
func requirements(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:require\s+)?(\S+\.\S+/\S+)\s+v\d`).FindAllStringSubmatch(string(data), -1) {
		out = append(out, m[1])
	}
	return out
}
