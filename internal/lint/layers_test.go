package lint_test

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// room is one package and which of ours it may import besides the root package,
// which everyone may.
type room struct {
	pkg     string
	imports []string
	why     string // where the imports are an exception to "a leaf imports only the root"
}

// house is every package, bottom up: a package may import only what stands above
// its own line. Sideways never: where two need to talk, the noun goes to the root
// package, or the caller introduces them.
var house = []room{
	{pkg: "."},

	// How an engine is spoken to that is not Docker's.
	{pkg: "internal/podman"},

	// For tests: real servers.
	{pkg: "internal/testdb"},
	{pkg: "internal/testdocker", imports: in("podman"), why: "the tests' engine may be Podman"},

	// Leaves: one thing each, none knows of another.
	{pkg: "internal/schema"},
	{pkg: "internal/compose"},
	{pkg: "internal/config"},
	{pkg: "internal/document"},
	{pkg: "internal/profile", imports: in("document"), why: "a strict file with every problem and its line"},
	{pkg: "internal/shape"},
	{pkg: "internal/driver"},
	{pkg: "internal/recipe"},
	{pkg: "internal/load"},
	{pkg: "internal/experiment"},
	{pkg: "internal/suite"},
	{pkg: "internal/redact"},
	{pkg: "internal/archive"},
	{pkg: "internal/evidence", imports: in("redact"), why: "what it writes down holds no secret"},
	{pkg: "internal/passing"},
	{pkg: "internal/ramdisk"},
	{pkg: "internal/control", imports: in("passing"), why: "a request comes with open files"},
	{pkg: "internal/authority"},
	{pkg: "internal/otlp"},
	{pkg: "internal/trace"},
	{pkg: "internal/check"},
	{pkg: "internal/diagnosis"},
	{pkg: "internal/explain"},
	{pkg: "internal/report"},
	{pkg: "internal/forge/forgetest"},
	{pkg: "internal/forge"},

	{pkg: "internal/snapshot"},
	{pkg: "internal/ledger"},

	// What stands on one leaf.
	{pkg: "internal/cgroup", imports: in("driver"), why: "what a group uses is told as drivers tell it"},
	{pkg: "internal/processes", imports: in("driver"), why: "the same of processes"},
	{pkg: "internal/telemetry", imports: in("otlp"), why: "the store keeps spans as they came over the wire, undecoded"},
	{pkg: "internal/verdict", imports: in("check"), why: "a check's answer is a finding like others"},

	// Data: what a database is, what production's is like, and rows that are like it.
	{pkg: "internal/rows", imports: in("schema"), why: "a column of rows has a type"},
	{pkg: "internal/words", imports: in("schema"), why: "what a column means depends on its type, too"},
	{pkg: "internal/artifact", imports: in("schema"), why: "what is odd depends on the type"},
	{pkg: "internal/llm", imports: in("document schema"), why: "a model is asked about a schema, and about nothing else; its plan is a strict file"},
	{pkg: "internal/measure", imports: in("artifact profile schema words"), why: "makes profiles of what a source gives it"},
	{pkg: "internal/likeness", imports: in("artifact measure profile schema"), why: "compares two sources, or two profiles"},
	{pkg: "internal/synth", imports: in("artifact profile rows schema words"), why: "a profile becomes rows that satisfy a schema"},
	{pkg: "internal/export", imports: in("rows schema")},
	{pkg: "internal/postgres", imports: in("measure profile redact schema"), why: "a source that is measured"},
	{pkg: "internal/postgres/load", imports: in("rows schema")},
	{pkg: "internal/mysql", imports: in("measure profile redact rows schema"), why: "a source that is measured, and filled"},
	{pkg: "internal/parity", imports: in("profile schema")},
	{pkg: "internal/migration", imports: in("profile schema")},
	{pkg: "internal/churn", imports: in("profile schema")},
	{pkg: "internal/dataset", imports: in("artifact driver llm measure mysql postgres postgres/load profile redact rows schema synth words"),
		why: "brings database, profile, generator and loader together"},

	// The data plane never learns of plans, drivers or verdicts.
	{pkg: "internal/wire"},
	{pkg: "internal/wire/wiretest", imports: in("wire")},
	{pkg: "internal/wire/http", imports: in("wire")},
	{pkg: "internal/wire/http2", imports: in("wire wire/http"), why: "what does not begin with HTTP/2's preface is left to the other editor"},
	{pkg: "internal/wire/postgres", imports: in("wire")},
	{pkg: "internal/wire/redis", imports: in("wire")},
	{pkg: "internal/packet", imports: in("shape"), why: "a path's arithmetic is the same for packets and for streams"},
	{pkg: "internal/packet/packettest", imports: in("packet")},
	{pkg: "internal/link", imports: in("shape wire wire/http2 wire/postgres wire/redis"),
		why: "the one place where arithmetic, decoders and sockets meet"},
	{pkg: "internal/spans", imports: in("link wire wire/postgres"), why: "turns what links saw into spans"},
	{pkg: "internal/toxiproxy", imports: in("link")},
	{pkg: "internal/fidelity", imports: in("shape packet packet/packettest link")},

	{pkg: "internal/plan", imports: in("check compose config recipe wire"),
		why: "a plan is made of what was read; a recipe's ports and query are part of it, and so is what a check asks where the file does not say, and which protocol a fault is of"},

	// Drivers never import one another.
	{pkg: "internal/driver/drivertest", imports: in("driver")},
	{pkg: "internal/testdocker/program", imports: in("driver/drivertest"), why: "the conformance suite's program, for an image of tests"},
	{pkg: "internal/driver/memory", imports: in("driver")},
	{pkg: "internal/driver/process", imports: in("archive cgroup driver packet passing processes ramdisk recipe snapshot"),
		why: "images run from the host's binaries, and wires are made of packets, only here"},
	{pkg: "internal/switchboard", imports: in("passing"), why: "sockets come out of the link container as open files"},
	{pkg: "internal/driver/docker", imports: in("archive cgroup driver podman processes ramdisk recipe snapshot switchboard"),
		why: "a recipe knows who may do everything in a database whose data is cloned"},

	{pkg: "internal/database", imports: in("churn dataset driver migration parity profile recipe schema"),
		why: "what a rehearsal does to a running database: migrations, other writers, plans"},
	{pkg: "internal/environment", imports: in("authority driver link otlp recipe spans telemetry toxiproxy"),
		why: "a recipe's query is how readiness is asked, whatever the driver; every environment answers Toxiproxy's API and takes telemetry"},
	{pkg: "internal/api", imports: in("driver environment"), why: "an environment answers over HTTP, too"},
	{pkg: "internal/rehearsal", imports: in("api diagnosis driver environment evidence experiment explain load otlp redact report suite telemetry trace verdict"),
		why: "the one package that knows the order of a rehearsal"},
	{pkg: "internal/stand", imports: in("api compose config control database dataset driver driver/docker driver/process environment evidence ledger load otlp plan profile redact rehearsal telemetry"),
		why: "what commands and tests share: a project stands; the only importer of concrete drivers"},
	{pkg: "rehearsetest", imports: in("api environment stand"), why: "the same for the tests of other modules"},
	{pkg: "internal/cli", imports: in("archive authority compose config control database dataset diagnosis driver environment evidence explain export forge ledger likeness link llm load measure otlp parity plan postgres postgres/load profile recipe redact rehearsal report schema snapshot spans stand synth telemetry toxiproxy trace words"),
		why: "every command"},
	{pkg: "cmd/rehearse", imports: in("cli")},
	{pkg: "cmd/rehearse-link", imports: in("ramdisk switchboard")},

	// Only tests and measurements.
	{pkg: "internal/figures"},
	{pkg: "internal/contest"},
	{pkg: "internal/lint"},
	{pkg: "internal/bench"},
	{pkg: "internal/linkbench", imports: in("contest figures link spans telemetry")},
	{pkg: "internal/telemetrybench", imports: in("contest figures otlp telemetry")},
	{pkg: "internal/dockerbench"},
	{pkg: "internal/zoo", imports: in("figures")},
	{pkg: "internal/killtest"},
	{pkg: "internal/acceptance"},
	{pkg: "internal/switchboard/testdata/client"},
	{pkg: "scripts/testreport"},
}

// in makes paths of a list of packages below internal.
func in(names string) []string {
	var out []string
	for name := range strings.FieldsSeq(names) {
		out = append(out, "internal/"+name)
	}
	return out
}

// drivers are the concrete ones, which a plan and an environment must not know.
var drivers = in("driver/process driver/docker driver/kube driver/memory")

func TestHouse(t *testing.T) {
	above := map[string]bool{}
	for _, r := range house {
		for _, i := range r.imports {
			if !above[i] {
				t.Errorf("the table lets %s import %s, which does not stand above it: turn the import round, or move the shared noun to the root package", r.pkg, i)
			}
		}
		above[r.pkg] = true
	}
}

func TestLayers(t *testing.T) {
	level := map[string]int{}
	for i, r := range house {
		level[r.pkg] = i
	}
	for _, s := range sources(t) {
		own, known := level[s.pkg]
		if !known {
			t.Errorf("%s: package %s is in no layer: say where it belongs in the table of internal/lint/layers_test.go", s.file, s.pkg)
			continue
		}
		for _, imported := range slices.Sorted(maps.Keys(s.imports)) {
			other, ok := ours(imported)
			if !ok || other == s.pkg {
				continue
			}
			if s.test {
				checkTestImport(t, s, other, level[other] < own)
				continue
			}
			checkImport(t, s, house[own], other)
		}
	}
}

func checkImport(t *testing.T, s source, own room, other string) {
	t.Helper()
	switch {
	case s.pkg == ".":
		t.Errorf("%s imports %s: the root package holds the nouns and imports only the standard library; do this in the package that needs it", s.file, other)
	case other == ".", slices.Contains(own.imports, other):
	case slices.Contains(drivers, other):
		t.Errorf("%s imports the concrete driver %s: take a driver.Driver, which internal/stand makes", s.file, other)
	case len(own.imports) == 0 && strings.HasPrefix(s.pkg, "internal/"):
		t.Errorf("%s imports %s: a leaf imports only the root package; let its caller pass what it needs, or move the shared noun to the root", s.file, other)
	default:
		t.Errorf("%s imports %s, which %s may not: let its caller pass what it needs, or record the import with its reason in internal/lint/layers_test.go", s.file, other, s.pkg)
	}
}

// checkTestImport lets a test import what its package could, and any driver: the
// one in memory stands in for all, and the conformance suite runs in each. A
// driver's tests may keep records as an environment does, which it leaves things in.
func checkTestImport(t *testing.T, s source, other string, above bool) {
	t.Helper()
	records := slices.Contains(drivers, s.pkg) && other == "internal/environment"
	if !above && !records && !slices.Contains(drivers, other) && other != "internal/driver/drivertest" {
		t.Errorf("%s imports %s, which stands above %s: move the test to the higher of the two", s.file, other, s.pkg)
	}
}

func TestTestOnlyPackages(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.pkg == "internal/testdocker/program" {
			continue
		}
		for _, only := range in("testdb testdocker forge/forgetest lint bench killtest acceptance driver/drivertest driver/memory fidelity wire/wiretest packet/packettest") {
			if _, ok := s.imports[module+"/"+only]; ok {
				t.Errorf("%s imports %s, which is for tests only", s.file, only)
			}
		}
	}
}

func TestPackageDocs(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		wanted := "Package " + s.parsed.Name.Name + " "
		if s.parsed.Name.Name == "main" {
			wanted = "Command " + path.Base(s.pkg) + " "
		}
		doc := s.parsed.Doc.Text()
		if doc != "" && !strings.HasPrefix(doc, wanted) {
			t.Errorf("%s: the package's comment must begin with %q", s.file, wanted)
		}
		documented[s.pkg] = documented[s.pkg] || doc != ""
	}
	for _, pkg := range slices.Sorted(maps.Keys(documented)) {
		if !documented[pkg] {
			t.Errorf("%s has no package comment: say what it is, what most people call, and what it guarantees", pkg)
		}
	}
}
