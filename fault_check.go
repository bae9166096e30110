package rehearse

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// LongestDelay bounds every delay of a shape or fault.
const LongestDelay = time.Hour

// faultParameters are what each kind of fault takes, by their JSON names; those
// with a ! it cannot do without. Name, direction, probability and schedule
// every kind takes.
var faultParameters = map[FaultKind]string{
	FaultDelay:      "delay jitter distribution correlation match",
	FaultLoss:       "share! burst correlation",
	FaultRate:       "rate! shared",
	FaultDuplicate:  "share!",
	FaultReorder:    "share!",
	FaultCorrupt:    "share!",
	FaultSlice:      "size! variation delay",
	FaultPartition:  "",
	FaultBlackhole:  "",
	FaultStall:      "bytes",
	FaultRefuse:     "",
	FaultLimit:      "count",
	FaultReset:      "delay",
	FaultHalfOpen:   "delay",
	FaultTimeout:    "delay",
	FaultSlowClose:  "delay!",
	FaultTruncate:   "bytes match",
	FaultTLS:        "code!",
	FaultDNS:        "code!",
	FaultAbort:      "status! body match",
	FaultDropHeader: "header! match",
	FaultSQLError:   "code! match",
	FaultSQLKill:    "match",
	FaultReadOnly:   "match",
	FaultRedisError: "code! match",
	FaultEvict:      "match",
}

// faultCodes are the codes of the kinds that have a list of them.
var faultCodes = map[FaultKind][]string{
	FaultTLS: {"expired", "wrong-name", "untrusted", "stall"},
	FaultDNS: {"NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "empty"},
}

// FaultKinds are all kinds, in the order of the alphabet.
func FaultKinds() []FaultKind { return slices.Sorted(maps.Keys(faultParameters)) }

// matchParameters are the parameters that make a fault's match.
var matchParameters = []string{"method", "path", "with", "statement", "command", "key"}

// Takes reports whether a kind has a parameter, by the name that [ParseFault]
// knows.
func (k FaultKind) Takes(parameter string) bool {
	switch parameter {
	case "name", "direction", "probability", "after", "for", "every":
		return true
	}
	if slices.Contains(matchParameters, parameter) {
		parameter = "match"
	}
	return slices.ContainsFunc(strings.Fields(faultParameters[k]), func(word string) bool {
		return strings.TrimSuffix(word, "!") == parameter
	})
}

// ValidateWritten is Validate for a fault that a person has written, who has left the
// time of a delay out where it has none. Toxiproxy's clients make such a one, and
// change it later.
func (f Fault) ValidateWritten() error {
	if err := f.Validate(); err != nil || f.Kind != FaultDelay || f.Delay != 0 || f.Jitter != 0 {
		return err
	}
	return &Error{Kind: Invalid, Msg: fmt.Sprintf("fault %s: it needs delay or jitter, or nothing would happen", f.ID()), Hint: "Say how long, as in delay=300ms."}
}

// Validate reports everything that is wrong with a fault, as one error of kind
// Invalid, or nil.
func (f Fault) Validate() error {
	parameters, known := faultParameters[f.Kind]
	if !known {
		names := make([]string, 0, len(faultParameters))
		for _, k := range FaultKinds() {
			names = append(names, string(k))
		}
		return &Error{
			Kind: Invalid, Msg: fmt.Sprintf("there is no fault %q%s", f.Kind, didYouMean(string(f.Kind), names)),
			Hint: "The faults are " + strings.Join(names, ", ") + ".",
		}
	}
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	given := map[string]bool{
		"delay": f.Delay != 0, "jitter": f.Jitter != 0, "distribution": f.Distribution != "", "correlation": f.Correlation != 0,
		"share": f.Share != 0, "burst": f.Burst != 0, "rate": f.Rate != 0, "shared": f.Shared, "bytes": f.Bytes != 0,
		"size": f.Size != 0, "variation": f.Variation != 0, "count": f.Count != 0, "status": f.Status != 0,
		"code": f.Code != "", "header": f.Header != "", "body": f.Body != "", "match": !f.Match.IsZero(),
	}
	takes := map[string]bool{}
	for word := range strings.FieldsSeq(parameters) {
		name, needed := strings.CutSuffix(word, "!")
		takes[name] = true
		if needed && !given[name] {
			bad("it needs %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] && !takes[name] {
			bad("it takes no %s", name)
		}
	}
	switch f.Direction {
	case "", Up, Down:
	default:
		bad("direction %q is neither %q nor %q", f.Direction, Up, Down)
	}
	checkShare(bad, "probability", f.Probability)
	checkShare(bad, "share", f.Share)
	checkShare(bad, "correlation", f.Correlation)
	checkDelay(bad, "delay", f.Delay)
	checkDelay(bad, "jitter", f.Jitter)
	checkDelay(bad, "after", f.Schedule.After)
	checkDelay(bad, "for", f.Schedule.For)
	checkDelay(bad, "every", f.Schedule.Every)
	checkDistribution(bad, f.Distribution)
	if f.Schedule.Every > 0 && (f.Schedule.For <= 0 || f.Schedule.For >= f.Schedule.Every) {
		bad("every %v needs a shorter for", f.Schedule.Every)
	}
	if f.Rate < 0 {
		bad("rate %d is negative", f.Rate)
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"bytes", f.Bytes}, {"size", int64(f.Size)}, {"variation", int64(f.Variation)}, {"count", int64(f.Count)}} {
		if n.value < 0 {
			bad("%s %d is negative", n.name, n.value)
		}
	}
	if f.Size > 0 && f.Variation >= f.Size {
		bad("variation %d is not below size %d", f.Variation, f.Size)
	}
	if f.Burst < 0 || f.Burst > 1e6 || math.IsNaN(f.Burst) {
		bad("burst %v is not between 1 and a million packets", f.Burst)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		bad("status %d is not between 200 and 599", f.Status)
	}
	if codes := faultCodes[f.Kind]; codes != nil && f.Code != "" && !slices.Contains(codes, f.Code) {
		bad("code %q is not one of %s", f.Code, strings.Join(codes, ", "))
	}
	if f.Kind == FaultSQLError && f.Code != "" && !raisable(f.Code) {
		bad("code %q is not an SQLSTATE of an error, as in 40001", f.Code)
	}
	if f.Kind == FaultRedisError && strings.ContainsAny(f.Code, "\r\n") {
		bad("code has a line break")
	}
	if strings.ContainsAny(f.Header, "\r\n:") {
		bad("header %q is not the name of a header", f.Header)
	}
	if _, err := regexp.Compile(f.Match.Statement); err != nil {
		bad("statement: %v", err)
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Error{
		Kind: Invalid, Msg: fmt.Sprintf("fault %s: %s", f.ID(), strings.Join(wrong, "; ")),
		Hint: fmt.Sprintf("Besides name, direction, probability and schedule, %q takes: %s.", f.Kind, orNothing(parameters)),
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, " ", ", "), "!", " (needed)")
}

// raisable reports whether a code is an SQLSTATE that a statement can fail with.
func raisable(code string) bool {
	if len(code) != 5 || code[:2] == "00" || code[:2] == "01" || code[:2] == "02" {
		return false
	}
	return !strings.ContainsFunc(code, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') })
}

// Validate reports everything that is wrong with a shape, as one error of kind
// Invalid, or nil.
func (s Shape) Validate() error {
	var wrong []string
	for _, d := range []struct {
		name string
		path Path
	}{{"up", s.Up}, {"down", s.Down}} {
		bad := func(format string, args ...any) {
			wrong = append(wrong, d.name+": "+fmt.Sprintf(format, args...))
		}
		p := d.path
		checkDelay(bad, "delay", p.Delay)
		checkDelay(bad, "jitter", p.Jitter)
		checkDistribution(bad, p.Distribution)
		checkShare(bad, "correlation", p.Correlation)
		checkShare(bad, "loss", p.Loss)
		checkShare(bad, "duplicate", p.Duplicate)
		checkShare(bad, "reorder", p.Reorder)
		if p.Burst < 0 || p.Burst > 1e6 || math.IsNaN(p.Burst) {
			bad("burst %v is not between 1 and a million packets", p.Burst)
		}
		if p.Rate < 0 || p.ConnectionRate < 0 {
			bad("a rate is negative")
		}
		if p.Limit < 0 {
			bad("limit %d is negative", p.Limit)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Error{
		Kind: Invalid, Msg: "impossible shape: " + strings.Join(wrong, "; "),
		Hint: fmt.Sprintf("A delay is between 0 and %v, a share between 0 and 1; leave a rate out for an unlimited one.", LongestDelay),
	}
}

func checkDelay(bad func(string, ...any), name string, d Duration) {
	if d < 0 || time.Duration(d) > LongestDelay {
		bad("%s %v is not between 0 and %v", name, d, LongestDelay)
	}
}

func checkShare(bad func(string, ...any), name string, share float64) {
	if !(share >= 0 && share <= 1) {
		bad("%s %v is not between 0 and 1", name, share)
	}
}

func checkDistribution(bad func(string, ...any), d Distribution) {
	switch d {
	case "", Normal, Uniform, Pareto, Constant:
	default:
		bad("distribution %q is not one of normal, uniform, pareto, constant", d)
	}
}
