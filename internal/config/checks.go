package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rehearse-dev/rehearse"
)

// Telemetry is how much telemetry is kept, and whether links pass trace contexts
// on.
type Telemetry struct {
	Propagate *bool `yaml:"propagate"` // nil: true
	Memory    Bytes `yaml:"memory"`    // 0: not given
	Disk      Bytes `yaml:"disk"`      // 0: not given
}

// Check is one question to telemetry, or to databases: a kind and what it is asked
// of. The kind alone is asked of everything.
type Check struct {
	Kind rehearse.CheckKind `yaml:"-"`
	Of   Ref                `yaml:"-"` // the expression of expect, else what Subject takes apart

	Name       string            `yaml:"name"`
	Operation  string            `yaml:"operation"`
	Limit      *Bound            `yaml:"limit"` // nil: not given
	P50        rehearse.Duration `yaml:"p50"`
	P90        rehearse.Duration `yaml:"p90"`
	P95        rehearse.Duration `yaml:"p95"`
	P99        rehearse.Duration `yaml:"p99"`
	Max        rehearse.Duration `yaml:"max"`
	Over       string            `yaml:"over"`
	MinSamples int               `yaml:"min_samples"` // 0: not given
}

// UnmarshalYAML reads a kind, or a mapping in which one key is a kind.
func (c *Check) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		c.Kind, c.Of = rehearse.CheckKind(n.Value), Ref{Name: everything, Line: n.Line}
		return nil
	}
	type plain Check
	if err := n.Decode((*plain)(c)); err != nil {
		return err
	}
	for _, f := range checkForms {
		if of := child(n, string(f.kind)); of != nil {
			c.Kind, c.Of = f.kind, Ref{Name: of.Value, Line: of.Line}
		}
	}
	return nil
}

// everything is asked of all services, links and operations.
const everything = "*"

// Subject is what the check is asked of: a link, as in "web:db", an operation, as
// in "web GET /items", where * stands for anything, or a service. All are empty
// when it is everything.
func (c Check) Subject() (link rehearse.LinkID, operation string, service rehearse.ServiceName) {
	switch subjectOf(c.Of.Name) {
	case ofLink:
		link = rehearse.LinkID(c.Of.Name)
	case ofOperation:
		operation = c.Of.Name
	case ofService:
		service = rehearse.ServiceName(c.Of.Name)
	}
	if c.Kind == rehearse.CheckExpect {
		link, operation, service = "", "", ""
	}
	if c.Kind == rehearse.CheckPlanRegression {
		service = "" // it is a dataset's name
	}
	if c.Operation != "" {
		operation = c.Operation
	}
	return link, operation, service
}

// Dataset is what plan_regression is asked of; empty for everything, and for other
// kinds.
func (c Check) Dataset() string {
	if c.Kind != rehearse.CheckPlanRegression || c.Of.Name == everything {
		return ""
	}
	return c.Of.Name
}

// Bounds is the percentile that max_duration bounds, and by what; 100 is every
// one.
func (c Check) Bounds() (percent float64, bound rehearse.Duration) {
	switch {
	case c.P50 > 0:
		return 50, c.P50
	case c.P90 > 0:
		return 90, c.P90
	case c.P95 > 0:
		return 95, c.P95
	case c.P99 > 0:
		return 99, c.P99
	}
	return 100, c.Max
}

// Bound is a count, or seconds where it was written as a duration.
type Bound float64

// UnmarshalYAML reads a number or a duration.
func (b *Bound) UnmarshalYAML(n *yaml.Node) error {
	v, err := strconv.ParseFloat(n.Value, 64)
	if err != nil {
		d, err := time.ParseDuration(n.Value)
		*b = Bound(d.Seconds())
		return err
	}
	*b = Bound(v)
	return nil
}

// subject is the sort of thing that a check is asked of.
type subject string

const (
	ofEverything subject = "*"
	ofLink       subject = "link"
	ofOperation  subject = "operation"
	ofService    subject = "service"
	ofDataset    subject = "dataset" // written as a service is
)

func subjectOf(s string) subject {
	switch {
	case s == everything:
		return ofEverything
	case strings.ContainsAny(s, " \t"):
		return ofOperation
	case strings.Contains(s, ":"):
		return ofLink
	}
	return ofService
}

// checkForm says how a kind of check is written.
type checkForm struct {
	kind rehearse.CheckKind
	// of are the sorts of thing that it is asked of; nil for an expression.
	of       []subject
	takes    string // keys beside its kind, name and min_samples
	limit    func(text string) error
	required bool // whether there must be a limit
	doc      string
	example  string
}

// percentiles are the bounds of max_duration, of which it takes one.
var percentiles = []string{"p50", "p90", "p95", "p99", "max"}

var checkForms = []checkForm{
	{kind: rehearse.CheckMaxDuration, of: []subject{ofEverything, ofOperation, ofLink, ofService}, takes: "operation p50 p90 p95 p99 max",
		doc: "Requests take at most so long, from the client's side: of an operation, of all calls on a link, or of all calls to a service.", example: "docgen POST /documents"},
	{kind: rehearse.CheckNPlusOne, of: []subject{ofEverything, ofLink, ofOperation}, takes: "operation limit", limit: atLeastOne,
		doc: "No request makes the same call `limit` times or more, one after the other.", example: `"docgen:db"`},
	{kind: rehearse.CheckMaxCalls, of: []subject{ofEverything, ofLink, ofOperation}, takes: "operation limit", limit: aCount, required: true,
		doc: "No trace has more than `limit` calls on one link.", example: `"docgen:db"`},
	{kind: rehearse.CheckChattyLink, of: []subject{ofEverything, ofLink, ofOperation}, takes: "operation limit", limit: aTime,
		doc: "No trace spends more than `limit` on round trips over one link that follow one another.", example: `"docgen:db"`},
	{kind: rehearse.CheckRetryStorm, of: []subject{ofEverything, ofLink, ofOperation}, takes: "operation limit", limit: atLeastOne,
		doc: "No trace makes a failing call more than `limit` times over.", example: `"docgen:db"`},
	{kind: rehearse.CheckPoolExhausted, of: []subject{ofEverything, ofLink},
		doc: "No request waits for a connection because all that its service keeps are busy.", example: `"docgen:db"`},
	{kind: rehearse.CheckIdleInTransaction, of: []subject{ofEverything, ofLink}, takes: "limit", limit: aTime,
		doc: "No connection does nothing for longer than `limit` while its transaction is open.", example: `"docgen:db"`},
	{kind: rehearse.CheckNoTimeout, of: []subject{ofEverything, ofLink, ofOperation}, takes: "operation limit", limit: aTime,
		doc: "No service works on for `limit` or longer for a request whose client has hung up.", example: `"ingress:docgen"`},
	{kind: rehearse.CheckErrorSwallowed, of: []subject{ofEverything, ofLink, ofOperation}, takes: "operation",
		doc: "No request is answered with success though a call below it failed and was not made good.", example: `"docgen:db"`},
	{kind: rehearse.CheckUndeclaredCall, of: []subject{ofEverything, ofLink},
		doc: "No service calls another that nothing in the project's files says it calls.", example: `"*"`},
	{kind: rehearse.CheckLogErrors, of: []subject{ofEverything, ofService}, takes: "limit", limit: aCount,
		doc: "At most `limit` log records are errors.", example: "docgen"},
	{kind: rehearse.CheckPlanRegression, of: []subject{ofEverything, ofDataset},
		doc: "No statement of production's, as the dataset's profile has them, gets a worse plan by the dataset's migrations.", example: "customers"},
	{kind: rehearse.CheckExpect, takes: "operation over",
		doc: "This expression holds, in the subset of TraceQL that [checks.md](checks.md#expressions) has.", example: `'{ kind = server } >> { status = error } | count() = 0'`},
}

// checkEntry is one item of checks.
var checkEntry = either(
	kind{name: "check", parse: parseCheckKind, check: bareCheck, schema: map[string]any{"enum": checkKinds()}},
	kind{name: "mapping", check: wholeCheck, keys: slices.Concat(checkKindKeys(), []key{
		{name: "name", kind: text, standard: "the kind and what it is asked of", example: "orders",
			doc: "What reports call the check; the same in every leg."},
		{name: "operation", kind: text, standard: "all", example: "docgen POST /documents",
			doc: "Only traces of this operation: the service that is asked from outside, the method and the route. `*` stands for anything."},
		{name: "limit", kind: limit, standard: "the kind's own", example: "5",
			doc: "The bound: a count, or a duration for the kinds that bound a time."},
		{name: "p50", kind: bound, example: "100ms", doc: "With `max_duration`: half of them take at most so long."},
		{name: "p90", kind: bound, example: "200ms", doc: "With `max_duration`: the 90th percentile."},
		{name: "p95", kind: bound, example: "400ms", doc: "With `max_duration`: the 95th percentile."},
		{name: "p99", kind: bound, example: "800ms", doc: "With `max_duration`: the 99th percentile."},
		{name: "max", kind: bound, example: "2s", doc: "With `max_duration`: every one of them."},
		{name: "over", kind: over, standard: "all", example: "p95",
			doc: "With `expect`: of how many of the traces it must hold: all, any, or a share, as in p95."},
		{name: "min_samples", kind: samples, standard: "1, or what a percentile takes: 20 for p95, 100 for p99", example: "20",
			doc: "How many traces (calls, log records) there must be for an answer; with fewer the check is unverified."},
	})},
)

var (
	limit   = kind{name: "number or duration", parse: parseLimit, schema: map[string]any{"type": []string{"number", "string"}}}
	bound   = kind{name: "duration", parse: parseBound, hint: "Write a number and a unit, as in 400ms.", schema: duration.schema}
	over    = kind{name: "all, any or a share", parse: parseOver, schema: map[string]any{"pattern": `^(all|any|p[0-9]+(\.[0-9]+)?)$`}}
	samples = kind{name: "whole number", parse: wholeNumber(1, 1_000_000), schema: map[string]any{"type": "integer", "minimum": 1, "maximum": 1_000_000}}
)

func checkKinds() []string {
	var out []string
	for _, f := range checkForms {
		out = append(out, string(f.kind))
	}
	return out
}

func checkKindKeys() []key {
	var out []key
	for _, f := range checkForms {
		out = append(out, key{name: string(f.kind), kind: text, doc: f.doc, example: f.example})
	}
	return out
}

func formOf(kind string) (checkForm, bool) {
	i := slices.IndexFunc(checkForms, func(f checkForm) bool { return string(f.kind) == kind })
	if i < 0 {
		return checkForm{}, false
	}
	return checkForms[i], true
}

func parseCheckKind(s string) error {
	if _, ok := formOf(s); ok {
		return nil
	}
	msg := fmt.Sprintf("there is no check %q", s)
	if near, ok := rehearse.Nearest(s, checkKinds()); ok {
		msg += "; did you mean " + near + "?"
	}
	return errors.New(msg)
}

// bareCheck finds kinds that cannot stand alone.
func bareCheck(n *yaml.Node) string {
	switch f, _ := formOf(n.Value); {
	case f.kind == rehearse.CheckMaxDuration:
		return `max_duration needs a bound, as in {max_duration: "*", p95: 400ms}`
	case f.of == nil:
		return "expect needs an expression, as in {expect: '" + strings.Trim(f.example, "'") + "'}"
	case f.required:
		return fmt.Sprintf(`%s needs a limit, as in {%s: "*", limit: 20}`, f.kind, f.kind)
	}
	return ""
}

// wholeCheck finds what does not fit together in a check.
func wholeCheck(n *yaml.Node) string {
	var kinds []string
	for _, k := range checkKinds() {
		if child(n, k) != nil {
			kinds = append(kinds, k)
		}
	}
	switch len(kinds) {
	case 0:
		return `a check needs a kind and what it is asked of, as in {pool_exhausted: "web:db"}; "*" is everything`
	case 1:
	default:
		return "a check asks one thing, but there are " + strings.Join(kinds, " and ") + "; make a check of each"
	}
	f, _ := formOf(kinds[0])
	for _, k := range slices.Concat([]string{"operation", "limit", "over"}, percentiles) {
		if child(n, k) != nil && !slices.Contains(strings.Fields(f.takes), k) {
			return fmt.Sprintf("%s takes no %s", f.kind, k)
		}
	}
	of := child(n, kinds[0]).Value
	sort := subjectOf(of)
	if sort == ofService && slices.Contains(f.of, ofDataset) {
		sort = ofDataset
	}
	switch {
	case f.of == nil:
	case !slices.Contains(f.of, sort):
		return fmt.Sprintf("%s is asked of %s; %q is %s", f.kind, subjects(f.of), of, sort.phrase())
	case sort == ofOperation && child(n, "operation") != nil:
		return "the operation is given twice"
	case sort == ofLink:
		if err := parseLink(of); err != nil {
			return err.Error()
		}
	}
	return wholeBound(n, f)
}

// wholeBound finds a bound that is missing, given twice or of the wrong unit.
func wholeBound(n *yaml.Node, f checkForm) string {
	if f.kind == rehearse.CheckMaxDuration {
		var given []string
		for _, p := range percentiles {
			if child(n, p) != nil {
				given = append(given, p)
			}
		}
		switch len(given) {
		case 0:
			return "max_duration needs a bound: one of " + strings.Join(percentiles, ", ")
		case 1:
			return ""
		}
		return "max_duration has one bound, but there are " + strings.Join(given, " and ") + "; make a check of each"
	}
	limit := child(n, "limit")
	if limit == nil {
		if f.required {
			return string(f.kind) + " needs a limit"
		}
		return ""
	}
	if err := f.limit(limit.Value); err != nil {
		return "limit: " + err.Error()
	}
	return ""
}

func (s subject) phrase() string {
	switch s {
	case ofLink:
		return "a link"
	case ofOperation:
		return "an operation"
	case ofService:
		return "a service"
	case ofDataset:
		return "a dataset"
	}
	return `"*", for everything`
}

// subjects joins sorts of things as a sentence does.
func subjects(sorts []subject) string {
	var words []string
	for _, s := range sorts[1:] {
		words = append(words, s.phrase())
	}
	return strings.Join(append(words, sorts[0].phrase()), " or ")
}

func parseLimit(s string) error {
	if aCount(s) != nil && aTime(s) != nil {
		return fmt.Errorf("%q is neither a count nor a duration", s)
	}
	return nil
}

func aCount(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= 1e9) {
		return fmt.Errorf("%q is not a count", s)
	}
	return nil
}

func atLeastOne(s string) error {
	if v, err := strconv.ParseFloat(s, 64); err != nil || !(v >= 1 && v <= 1e9) {
		return fmt.Errorf("%q is not a count of at least 1", s)
	}
	return nil
}

func aTime(s string) error {
	if d, err := time.ParseDuration(s); err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration; write a number and a unit, as in 500ms", s)
	}
	return nil
}

func parseBound(s string) error {
	if d, err := time.ParseDuration(s); err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration above 0", s)
	}
	return nil
}

func parseOver(s string) error {
	if s == "all" || s == "any" {
		return nil
	}
	digits, ok := strings.CutPrefix(s, "p")
	if v, err := strconv.ParseFloat(digits, 64); !ok || err != nil || !(v > 0 && v <= 100) {
		return fmt.Errorf("%q is not all, any or a share; write p95 for 95 of 100 traces", s)
	}
	return nil
}
