package rehearse

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/faults.md")

// faultGuide is what docs/faults.md says of a kind beside its comment.
type faultGuide struct {
	touches string
	example string // a line of ParseFault
	toxic   string // Toxiproxy's own name for it, where it has one
}

var faultGuides = map[FaultKind]faultGuide{
	FaultDelay: {
		"streams and datagrams; with a match, requests of HTTP, PostgreSQL or Redis",
		"delay delay=300ms jitter=50ms probability=10% for=5s every=30s", "latency",
	},
	FaultLoss:      {"streams, which lose time by it (not in the tier stream), and datagrams", "loss share=2% burst=3", ""},
	FaultRate:      {"streams and datagrams", "rate rate=10Mbit shared=true direction=down", "bandwidth"},
	FaultDuplicate: {"datagrams", "duplicate share=1%", ""},
	FaultReorder:   {"datagrams, where there is a delay to skip", "reorder share=5%", ""},
	FaultCorrupt:   {"streams and datagrams", "corrupt share=0.1% direction=down", ""},
	FaultSlice:     {"streams", "slice size=16 variation=4 delay=1ms", "slicer"},
	FaultPartition: {"streams; datagrams are lost", "partition direction=up for=10s", ""},
	FaultBlackhole: {"streams and datagrams", "blackhole for=30s", ""},
	FaultStall:     {"streams; datagrams beyond the bytes are lost", "stall bytes=64KB", "bandwidth with a rate of 0"},
	FaultRefuse:    {"new connections; each datagram", "refuse probability=50%", ""},
	FaultLimit:     {"new connections; new flows of datagrams", "limit count=20", ""},
	FaultReset:     {"connections; flows of datagrams end without a word", "reset delay=2s probability=25%", "reset_peer"},
	FaultHalfOpen:  {"connections; later datagrams are lost", "half-open delay=5s", ""},
	FaultTimeout:   {"connections; datagrams are lost and their flows end", "timeout delay=3s", "timeout"},
	FaultSlowClose: {"streams", "slow-close delay=1s", "slow_close"},
	FaultTruncate: {
		"connections; each datagram is cut; with a match, answers of HTTP",
		"truncate bytes=1000 path=/documents/*", "limit_data",
	},
	FaultTLS:        {"connections that begin with TLS; see [TLS](link.md#tls)", "tls code=stall", ""},
	FaultDNS:        {"datagrams", "dns code=SERVFAIL probability=20%", ""},
	FaultAbort:      {"requests of HTTP", `abort status=503 body="try later" method=POST path=/api/* with="X-Tenant: 7"`, ""},
	FaultDropHeader: {"requests and answers of HTTP", "drop-header header=ETag direction=down", ""},
	FaultSQLError:   {"statements of PostgreSQL", `sql-error code=40001 statement="(?i)^update " probability=10%`, ""},
	FaultSQLKill:    {"statements of PostgreSQL inside a transaction", `sql-kill statement="(?i)^insert into documents"`, ""},
	FaultReadOnly:   {"statements of PostgreSQL that write", "read-only after=5s for=20s", ""},
	FaultRedisError: {"commands of Redis", `redis-error code="LOADING Redis is loading the dataset in memory" command=GET`, ""},
	FaultEvict:      {"commands of Redis", "evict command=GET key=session:* probability=5%", ""},
}

// faultGroup is a block of constants: its comment, and the kinds in it.
type faultGroup struct {
	text  string
	kinds []faultText
}

// faultText is a kind with its constant's name and comment. One without a
// comment shares that of the kind before it.
type faultText struct {
	kind       FaultKind
	name, text string
}

func readFaultGroups(t *testing.T) []faultGroup {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "fault.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var groups []faultGroup
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		group := faultGroup{text: g.Doc.Text()}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if of, ok := v.Type.(*ast.Ident); !ok || of.Name != "FaultKind" {
				continue
			}
			kind, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			text := v.Doc.Text()
			if text == "" {
				text = group.kinds[len(group.kinds)-1].text
			}
			group.kinds = append(group.kinds, faultText{FaultKind(kind), strings.TrimPrefix(v.Names[0].Name, "Fault"), text})
		}
		if len(group.kinds) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

// asWritten turns a comment's names of Go into those that a person writes: of
// kinds, where the sentence begins with one, and of parameters.
func asWritten(text string, groups []faultGroup) string {
	kinds := map[string]string{}
	for _, g := range groups {
		for _, k := range g.kinds {
			kinds[k.name] = "`" + string(k.kind) + "`"
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	first, rest, _ := strings.Cut(text, " ")
	if first = kinds[first]; strings.HasPrefix(rest, "and ") {
		_, more, _ := strings.Cut(rest, " ")
		second, more, _ := strings.Cut(more, " ")
		first, rest = first+" and "+kinds[second], more
	}
	parameter := regexp.MustCompile(`\b(Delay|Jitter|Distribution|Correlation|Share|Burst|Rate|Shared|Bytes|Size|Variation|Count|Status|Code|Header|Body|Match)\b`)
	return first + " " + parameter.ReplaceAllStringFunc(rest, func(s string) string {
		if s = strings.ToLower(s); s == "match" {
			return s
		}
		return "`" + s + "`"
	})
}

const faultsHead = `<!-- Generated from fault.go and docs_test.go by "go test . -run TestDocs -update". -->
# Faults

A fault breaks what a link carries. Any number of them are on one link, and each touches what those before it let through. They are set on the
links of a standing environment with ` + "`rehearse link set LINK --fault '…'`" + `, and through [Toxiproxy's API](link.md#in-toxiproxys-place), where each kind
is a type of toxic.

[Experiments](experiments.md) put them on a time line while a load goes on, and judge what comes of it; there, services can be broken, too.

A fault is written as its kind and its parameters, ` + "`NAME=VALUE`" + `. A value with spaces stands in double quotes. A share is written as ` + "`10%` or `0.1`" + `, a
duration as ` + "`300ms`" + `, a rate as ` + "`10Mbit`" + `, bytes as ` + "`1000` or `64KB`" + `. A parameter that a kind does not take is an error.

Every kind takes these:

| parameter | |
|---|---|
| ` + "`name`" + ` | unique on its link; without it, the kind. A fault of the same name takes the place of the one before |
| ` + "`direction`" + ` | ` + "`up`, from client to upstream, or `down`" + `; without it, both. Of a request, ` + "`up` is itself and `down`" + ` its answer. A refusal has no direction |
| ` + "`probability`" + ` | the share of connections that it touches, or of requests where it is a fault of requests |
| ` + "`after`, `for`, `every`" + ` | when it is in force, counted from when it was set: it begins so much later, lasts so long, and comes again so long after its last beginning |

Where the table of a kind says *match*, these pick requests; all that are given must match:

| parameter | protocol | picks requests |
|---|---|---|
| ` + "`method`" + ` | HTTP | of this method |
| ` + "`path`" + ` | HTTP | to this path, where ` + "`*`" + ` stands for anything |
| ` + "`with`" + ` | HTTP | with this header, as in ` + "`with=\"X-Tenant: 7*\"`; the name alone is any value" + ` |
| ` + "`statement`" + ` | PostgreSQL | whose text this regular expression matches |
| ` + "`command`" + ` | Redis | of this name |
| ` + "`key`" + ` | Redis | whose first key this is, where ` + "`*`" + ` stands for anything |

HTTP is HTTP/1 and, on connections that begin when such a fault is there already, HTTP/2 with gRPC: what a live HTTP/2 connection says cannot be read from its middle. Bytes that are not understood, an encrypted stream among them, pass unchanged. A link has faults of one protocol at a time.

[link.md](link.md#faults-and-their-doses) says what probability, seed and schedule come to, and how to read a dose.
`

func TestDocs(t *testing.T) {
	groups := readFaultGroups(t)
	var b strings.Builder
	b.WriteString(faultsHead)
	seen := map[FaultKind]bool{}
	for _, g := range groups {
		title, text, _ := strings.Cut(strings.Join(strings.Fields(g.text), " "), ". ")
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(title, "."))
		if text != "" {
			fmt.Fprintf(&b, "\n%s\n", text)
		}
		for _, k := range g.kinds {
			seen[k.kind] = true
			guide, ok := faultGuides[k.kind]
			if !ok {
				t.Errorf("fault %s has no guide", k.kind)
				continue
			}
			if f, err := ParseFault(guide.example); err != nil || f.Kind != k.kind {
				t.Errorf("the example of %s: got %v, %v", k.kind, f.Kind, err)
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| | |\n|---|---|\n", k.kind, asWritten(k.text, groups))
			fmt.Fprintf(&b, "| takes | %s |\n| touches | %s |\n| as a toxic | %s |\n", takenBy(k.kind), guide.touches, toxicOf(k.kind, guide))
			fmt.Fprintf(&b, "\n```\nrehearse link set LINK --fault '%s'\n```\n", guide.example)
		}
	}
	for _, k := range FaultKinds() {
		if !seen[k] {
			t.Errorf("fault.go has no constant for %s in a block of kinds", k)
		}
	}
	const file = "docs/faults.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go test . -run TestDocs -update", err)
	}
	if diff := cmp.Diff(string(got), b.String()); diff != "" {
		t.Errorf("%s is not what fault.go says; run go test . -run TestDocs -update\n%s", file, diff)
	}
}

// takenBy is what a kind takes besides what every kind does.
func takenBy(k FaultKind) string {
	var out []string
	for word := range strings.FieldsSeq(faultParameters[k]) {
		name, needed := strings.CutSuffix(word, "!")
		if name != "match" {
			name = "`" + name + "`"
		}
		if name == "`distribution`" {
			name += " (normal, uniform, pareto, constant)"
		}
		if codes := faultCodes[k]; codes != nil && name == "`code`" {
			name += " (" + strings.Join(codes, ", ") + ")"
		}
		if needed {
			name += ", needed"
		}
		out = append(out, name)
	}
	if len(out) == 0 {
		return "nothing more"
	}
	return strings.Join(out, "; ")
}

func toxicOf(k FaultKind, g faultGuide) string {
	switch g.toxic {
	case "":
		return "`" + string(k) + "`, which Toxiproxy does not have"
	case string(k):
		return "Toxiproxy's `" + g.toxic + "`"
	}
	name, rest, _ := strings.Cut(g.toxic, " ")
	return strings.TrimSpace("Toxiproxy's `"+name+"` "+rest) + "; or `" + string(k) + "`"
}
