package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rehearse-dev/rehearse"
)

// Experiment is how the environment is broken on purpose, and what must hold
// meanwhile. Either Method says how, or Use, the name of one of the [Library];
// then the target and what else an action takes stand beside it.
type Experiment struct {
	Use     Ref                  `yaml:"use"`
	Steady  []rehearse.Threshold `yaml:"steady"`
	During  []rehearse.Threshold `yaml:"during"`
	Checks  []Check              `yaml:"checks"`
	Before  *rehearse.Duration   `yaml:"before"` // nil: not given, as below
	Recover *rehearse.Duration   `yaml:"recover"`
	After   *rehearse.Duration   `yaml:"after"`
	Method  []Action             `yaml:"method"`

	Target     `yaml:",inline"`
	For        *rehearse.Duration `yaml:"for"`
	Parameters map[string]string  `yaml:",inline"`
}

// Target is what an action is done to. One of its fields is set.
type Target struct {
	Link    Ref `yaml:"link"`
	Service Ref `yaml:"service"`
	Region  Ref `yaml:"region"`
	Label   Ref `yaml:"label"`
}

// Get is the one that is set, and the key that it stands under; empty when there
// is none.
func (t Target) Get() (key string, of Ref) {
	for _, k := range []struct {
		key string
		of  Ref
	}{{"link", t.Link}, {"service", t.Service}, {"region", t.Region}, {"label", t.Label}} {
		if k.of.Name != "" {
			return k.key, k.of
		}
	}
	return "", Ref{}
}

// Action is one thing that a method does to its target.
type Action struct {
	Target `yaml:",inline"`
	Fault  Ref                `yaml:"fault"`
	At     *rehearse.Duration `yaml:"at"`  // since the method's start; nil: when the action before it is over
	For    *rehearse.Duration `yaml:"for"` // nil: not given
	// Every and Each make the fault come and go while the action lasts.
	Every rehearse.Duration `yaml:"every"` // 0: it stays
	Each  rehearse.Duration `yaml:"each"`  // 0: half of Every
	// Parameters are the fault's, by the names that [rehearse.Fault.SetParameter] or
	// [rehearse.Disruption.SetParameter] knows.
	Parameters map[string]string `yaml:",inline"`
}

// ActionFor is how long an action lasts that does not say.
const ActionFor = 10 * time.Second

// Length is how long the action lasts: no time when it is over at once.
func (a Action) Length() rehearse.Duration {
	switch {
	case a.Fault.Name == string(rehearse.DisruptRestart):
		return 0
	case a.For != nil:
		return *a.For
	}
	return rehearse.Duration(ActionFor)
}

// Disrupts reports whether the action befalls services, and not links.
func (a Action) Disrupts() bool {
	return slices.Contains(rehearse.DisruptionKinds(), rehearse.DisruptionKind(a.Fault.Name))
}

// MakeFault is the fault of an action that breaks links.
func (a Action) MakeFault() (rehearse.Fault, error) {
	f := rehearse.Fault{Kind: rehearse.FaultKind(a.Fault.Name)}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(a.Parameters)) {
		if value := a.Parameters[name]; value != "" {
			wrong = append(wrong, f.SetParameter(name, value))
		}
	}
	if a.Every > 0 {
		f.Schedule = rehearse.Schedule{Every: a.Every, For: a.Each}
		if a.Each == 0 {
			f.Schedule.For = a.Every / 2
		}
	}
	return f, errors.Join(append(wrong, f.ValidateWritten())...)
}

// MakeDisruption is the disruption of an action that befalls services.
func (a Action) MakeDisruption() (rehearse.Disruption, error) {
	d := rehearse.Disruption{Kind: rehearse.DisruptionKind(a.Fault.Name)}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(a.Parameters)) {
		if value := a.Parameters[name]; value != "" {
			wrong = append(wrong, d.SetParameter(name, value))
		}
	}
	return d, errors.Join(append(wrong, d.Validate())...)
}

var targetKeys = []key{
	{name: "link", kind: linkID, example: `"docgen:db"`,
		doc: "This link. `ingress:SERVICE` is all traffic from outside."},
	{name: "service", kind: text, example: "db",
		doc: "Every link into this service; or, with a fault of services, the service itself."},
	{name: "region", kind: text, example: "us-east-1",
		doc: "Every link that leads into this region; or every service in it."},
	{name: "label", kind: text, example: `"tier=backend"`,
		doc: "Like `service`, for each service with this label in the Compose file. A name alone is any value."},
}

var parameterKeys = []key{
	{name: "direction", kind: word("up", "down"), standard: "both", example: "down",
		doc: "Which way the bytes go that it touches: up to the upstream, or down to the client."},
	{name: "probability", kind: share, standard: "all", example: "10%",
		doc: "The share of connections that it touches, or of requests where the fault is one of requests."},
	{name: "delay", kind: delay, example: "300ms", doc: "How long it delays, or waits, as the fault says."},
	{name: "jitter", kind: delay, standard: "0s", example: "50ms", doc: "How far the delay strays."},
	{name: "distribution", kind: distribution, standard: "normal", example: "pareto", doc: "What the jitter is drawn from."},
	{name: "correlation", kind: share, standard: "0", example: "25%", doc: "How much each draw takes after the one before it."},
	{name: "share", kind: share, example: "5%", doc: "The share of packets that are lost, changed or moved."},
	{name: "burst", kind: number, standard: "1", example: "3", doc: "How many packets are lost in a row, on average."},
	{name: "rate", kind: rate, example: "1Mbit", doc: "Bits per second, of each connection."},
	{name: "shared", kind: yesNo, standard: "false", example: "true", doc: "The rate is that of all connections together."},
	{name: "bytes", kind: text, example: "4KB", doc: "After how many bytes of a connection it happens."},
	{name: "size", kind: seedNumber, example: "100", doc: "How many bytes a piece has."},
	{name: "variation", kind: seedNumber, standard: "0", example: "10", doc: "How far the size of a piece strays."},
	{name: "count", kind: wholeCount, standard: "0", example: "2", doc: "How many connections may be open."},
	{name: "status", kind: status, example: "503", doc: "What is answered in the upstream's place (HTTP)."},
	{name: "code", kind: text, example: `"40001"`, doc: "The error, in the words of its protocol."},
	{name: "header", kind: text, example: "Authorization", doc: "The header that is taken out."},
	{name: "body", kind: text, example: "try later", doc: "What the answer says."},
	{name: "method", kind: text, standard: "any", example: "POST", doc: "Only HTTP requests with this method."},
	{name: "path", kind: text, standard: "any", example: "/api/*", doc: "Only HTTP requests with this path; with `disk-full`, the volume."},
	{name: "with", kind: text, standard: "any", example: `"X-Tenant: 7"`, doc: "Only HTTP requests with this header."},
	{name: "statement", kind: pattern, standard: "any", example: "(?i)^update", doc: "Only SQL statements that match."},
	{name: "command", kind: text, standard: "any", example: "GET", doc: "Only this command of Redis."},
	{name: "key", kind: text, standard: "any", example: "session:*", doc: "Only commands with this first key (Redis)."},
	{name: "cpus", kind: amount, example: "0.1", doc: "How many cores `cpu` leaves the service."},
	{name: "memory", kind: byteCount, example: "64MiB", doc: "How much memory `memory` leaves the service."},
	{name: "offset", kind: text, example: "24h", doc: "How far `clock` puts the service's clock forward; with a minus, back."},
	{name: "name", kind: text, standard: "the experiment's name and the fault's", example: "second", doc: "What the fault is called; two on one link at one time need different names."},
}

// wholeCount is a number of things, of which there may be none.
var wholeCount = kind{name: "whole number", parse: wholeNumber(0, 1_000_000), schema: map[string]any{"type": "integer", "minimum": 0}}

// amount is a part of something, or more than one of it.
var amount = kind{name: "number", parse: parseFactor, schema: factor.schema}

var action = kind{name: "action", check: wholeAction, keys: slices.Concat(
	[]key{{name: "fault", kind: faultKind, required: true, example: "partition",
		doc: "What happens: a fault of links, see [faults.md](faults.md), or of services: cpu, clock, disk-full, kill, memory, pause, restart."}},
	targetKeys,
	[]key{
		{name: "at", kind: duration, standard: "when the action before it is over", example: "0s",
			doc: "When it begins, since the start of the method."},
		{name: "for", kind: duration, standard: "10s", example: "5s", doc: "How long until it is undone. `restart` is over at once."},
		{name: "every", kind: duration, standard: "the fault stays", example: "2s", doc: "The fault comes and goes while the action lasts, and comes so often."},
		{name: "each", kind: duration, standard: "half of `every`", example: "500ms", doc: "How long it stays each time."},
	},
	parameterKeys,
)}

var experiment = kind{name: "experiment", check: wholeExperiment, keys: slices.Concat(
	[]key{
		{name: "steady", kind: list(threshold), standard: `["http_req_failed rate<1%"]`, example: `["http_req_failed rate<0.01"]`,
			doc: "What must hold before the method, and again after it, in the words of thresholds."},
		{name: "during", kind: list(threshold), standard: "anything may happen", example: `["http_req_failed rate<0.5"]`,
			doc: "What must hold of the requests that start while the method is under way."},
		{name: "checks", kind: list(checkEntry), standard: "none", example: "[{max_duration: ingress:docgen, p95: 400ms}]",
			doc: "What must hold of the traces and logs before the method and after the recovery, see [checks.md](checks.md)."},
		{name: "before", kind: duration, standard: "5s", example: "10s", doc: "How long the steady state is watched before the method."},
		{name: "method", kind: list(action), example: "[{region: us-east-1, fault: partition, for: 10s}]",
			doc: "What is done, one after the other, or when `at` says."},
		{name: "recover", kind: duration, standard: "5s", example: "10s", doc: "How long after the method the steady state may take to hold again."},
		{name: "after", kind: duration, standard: "5s", example: "10s", doc: "How long it is watched from then on."},
		{name: "use", kind: libraryName, example: "dependency-slow",
			doc: "The method of one of the library's experiments, see [experiments.md](experiments.md), in the place of `method`. Its target and what else its actions take stand beside it."},
	},
	targetKeys,
	[]key{{name: "for", kind: duration, standard: "the library's", example: "5s", doc: "With `use`, how long each action lasts."}},
	slices.DeleteFunc(slices.Clone(parameterKeys), func(k key) bool { return k.name == "method" || k.name == "name" }),
)}

var faultKind = kind{name: "fault", parse: parseFaultKind, schema: map[string]any{"enum": everyFault()}}

// everyFault is every fault of links and of services.
func everyFault() []string {
	var out []string
	for _, k := range rehearse.FaultKinds() {
		out = append(out, string(k))
	}
	for _, k := range rehearse.DisruptionKinds() {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

func parseFaultKind(s string) error {
	if slices.Contains(everyFault(), s) {
		return nil
	}
	if near, ok := rehearse.Nearest(s, everyFault()); ok {
		return fmt.Errorf("there is no fault %q; did you mean %s?", s, near)
	}
	return fmt.Errorf("there is no fault %q; there are %s", s, strings.Join(everyFault(), ", "))
}

// wholeAction finds what does not fit together in an action.
func wholeAction(n *yaml.Node) string {
	var targets []string
	for _, k := range targetKeys {
		if child(n, k.name) != nil {
			targets = append(targets, k.name)
		}
	}
	var a Action
	if err := n.Decode(&a); err != nil {
		return err.Error()
	}
	switch {
	case len(targets) == 0:
		return "an action needs a target: link, service, region or label"
	case len(targets) > 1:
		return "an action has one target, but there are " + strings.Join(targets, " and ") + "; make an action of each"
	case a.Disrupts() && a.Link.Name != "":
		return a.Fault.Name + " happens to a service; name that, in the place of the link"
	case a.For != nil && *a.For == 0:
		return "for is 0: nothing would happen"
	case a.Fault.Name == string(rehearse.DisruptRestart) && a.For != nil:
		return "a restart takes as long as it takes, and no for"
	case a.Every == 0 && a.Each > 0:
		return "each is how long a fault stays that comes and goes; that needs every, too"
	case a.Every > 0 && a.Disrupts():
		return a.Fault.Name + " does not come and go; make an action of each time"
	case a.Every > a.Length():
		return "every is longer than the action"
	case a.Every > 0 && a.Each >= a.Every:
		return "each is not shorter than every: the fault would stay"
	}
	var err error
	if a.Disrupts() {
		_, err = a.MakeDisruption()
	} else {
		_, err = a.MakeFault()
	}
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return ""
}

// wholeExperiment finds what does not fit together in an experiment.
func wholeExperiment(n *yaml.Node) string {
	var beside []string // what only goes with use
	for _, k := range slices.Concat(targetKeys, []key{{name: "for"}}, parameterKeys) {
		if k.name != "method" && child(n, k.name) != nil {
			beside = append(beside, k.name)
		}
	}
	use, method := child(n, "use"), child(n, "method")
	switch {
	case use == nil && method == nil:
		return "an experiment needs a method, or the name of one under use"
	case use != nil && method != nil:
		return "an experiment has either method or use"
	case method != nil && len(method.Content) == 0:
		return "the method is empty"
	case method != nil && len(beside) > 0:
		return beside[0] + " belongs to an action of the method"
	case method != nil:
		return ""
	}
	var e Experiment
	if err := n.Decode(&e); err != nil {
		return err.Error()
	}
	_, problem := e.Actions()
	return problem
}
