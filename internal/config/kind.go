package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rehearse-dev/rehearse"
)

// kind is what a value may be: a scalar, a list, a mapping from names, or a
// mapping with known keys.
type kind struct {
	name   string                              // as the reference calls it
	parse  func(text string) error             // of a scalar; nil: any
	schema map[string]any                      // of a scalar, beyond its type
	elem   *kind                               // of a list or a mapping from names
	entry  string                              // what a mapping's names stand for; empty for a list
	keys   []key                               // of a mapping with known keys
	check  func(n *yaml.Node) (problem string) // of the whole, once its keys are in order
	or     *kind                               // what it may be instead; one of the two is scalar
	hint   string                              // on what to write
}

func object(keys ...key) kind { return kind{name: "mapping", keys: keys} }

func list(of kind) kind { return kind{name: "list of " + of.plural(), elem: &of} }

func dict(entry string, of kind) kind {
	return kind{name: "mapping from " + entry + " names", elem: &of, entry: entry}
}

func either(scalar, other kind) kind {
	scalar.or = &other
	return scalar
}

func (k kind) scalar() bool { return k.elem == nil && k.keys == nil }

func (k kind) plural() string {
	if k.name == "text" {
		return "texts"
	}
	return k.name + "s"
}

// The scalars.
var (
	text        = kind{name: "text"}
	yesNo       = kind{name: "true or false", parse: parseBool, schema: map[string]any{"type": "boolean"}, hint: "Write true or false."}
	projectName = kind{name: "name", parse: parseName, schema: map[string]any{"pattern": nameSyntax.String()}}
	seedNumber  = kind{name: "whole number", parse: wholeNumber(1, 0), schema: map[string]any{"type": "integer", "minimum": 1}}
	port        = kind{name: "port", parse: wholeNumber(1, 65535), schema: map[string]any{"type": "integer", "minimum": 1, "maximum": 65535}}
	status      = kind{name: "status", parse: wholeNumber(100, 599), schema: map[string]any{"type": "integer", "minimum": 100, "maximum": 599}}
	duration    = kind{name: "duration", parse: parseDuration, hint: "Write a number and a unit, as in 84ms, 20s or 2m.",
		schema: map[string]any{"pattern": `^(0|([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+)$`}}
	delay = kind{name: "duration", parse: parseDelay, hint: "Write a number and a unit, as in 84ms.", schema: duration.schema}
	rate  = kind{name: "rate", parse: parseRate,
		schema: map[string]any{"pattern": `^[0-9]*\.?[0-9]+ ?([KkMmGg])?[Bb][Ii][Tt](/s|ps)?$`}}
	share = kind{name: "share", parse: parseShare, hint: "Write a percentage, as in 0.1%, or a fraction from 0 to 1.",
		schema: map[string]any{"type": []string{"string", "number"}, "pattern": `^[0-9]*\.?[0-9]+ ?%?$`}}
	byteCount    = kind{name: "number of bytes", parse: parseBytes, schema: map[string]any{"pattern": `^[0-9]*\.?[0-9]+ ?([KkMmGg][Ii]?)?[Bb]$`}}
	room         = kind{name: "number of bytes", parse: parseRoom, schema: byteCount.schema}
	number       = kind{name: "number", parse: parseNumber, schema: map[string]any{"type": "number", "minimum": 1}}
	factor       = kind{name: "number", parse: parseFactor, schema: map[string]any{"type": "number", "exclusiveMinimum": 0}}
	tier         = word("packet", "model", "stream")
	tlsHandling  = word("pass", "end")
	distribution = word("normal", "uniform", "pareto", "constant")
	pattern      = kind{name: "regular expression", parse: parsePattern, schema: map[string]any{"format": "regex"}}
	threshold    = kind{name: "threshold", parse: parseThreshold, schema: map[string]any{
		"pattern": `^\s*(` + strings.Join(slices.Sorted(maps.Keys(rehearse.Metrics)), "|") + `)\b.*(<|>|=).*$`}}
	linkID = kind{name: "link", parse: parseLink, schema: map[string]any{"pattern": `^[^:]+:[^:]+$`}}
)

// command is a list of words, with a better hint than other lists have.
var command = kind{name: "list of texts", elem: &text, check: notEmpty,
	hint: `Write a list of words, as in [npm, test]; for a shell, [sh, -c, "…"].`}

var nameSyntax = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

func parseName(s string) error {
	if !nameSyntax.MatchString(s) {
		return fmt.Errorf("%q is not a name; write lower-case letters, digits, - and _", s)
	}
	return nil
}

// wholeNumber accepts numbers of a range; a greatest of 0 is no bound.
func wholeNumber(least, greatest uint64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseUint(s, 10, 64)
		switch {
		case err == nil && n >= least && (greatest == 0 || n <= greatest):
			return nil
		case greatest == 0:
			return fmt.Errorf("%q is not a whole number of at least %d", s, least)
		}
		return fmt.Errorf("%q is not a whole number from %d to %d", s, least, greatest)
	}
}

func parseDuration(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration", s)
	}
	return nil
}

// parseDelay accepts what a link can delay, there and back.
func parseDelay(s string) error {
	if err := parseDuration(s); err != nil {
		return err
	}
	if d, _ := time.ParseDuration(s); d > 2*rehearse.LongestDelay {
		return fmt.Errorf("%q is above %v, the longest round trip", s, 2*rehearse.LongestDelay)
	}
	return nil
}

func parseRate(s string) error {
	_, err := rehearse.ParseRate(s)
	return err
}

// word is one of several words.
func word(words ...string) kind {
	return kind{name: "word", schema: map[string]any{"enum": words}, parse: func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return fmt.Errorf("%q is not one of %s", s, strings.Join(words, ", "))
	}}
}

func parseShare(s string) error {
	_, err := rehearse.ParseShare(s)
	return err
}

// parseRoom reads a bound that telemetry can live with.
func parseRoom(s string) error {
	n, err := rehearse.ParseBytes(s)
	if err == nil && n < 1<<20 {
		return fmt.Errorf("%q is less than 1MiB, in which there is no room for anything", s)
	}
	return parseBytes(s)
}

func parseBytes(s string) error {
	_, err := rehearse.ParseBytes(s)
	return err
}

func parseNumber(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 1 && v <= 1e6) {
		return fmt.Errorf("%q is not a number from 1 to a million", s)
	}
	return nil
}

func parseFactor(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v <= 1e6) {
		return fmt.Errorf("%q is not a number above 0 and up to a million", s)
	}
	return nil
}

func parsePattern(s string) error {
	_, err := regexp.Compile(s)
	return err
}

func parseThreshold(s string) error {
	_, err := rehearse.ParseThreshold(s)
	return err
}

func parseLink(s string) error {
	client, upstream, ok := strings.Cut(s, ":")
	if !ok || client == "" || upstream == "" || strings.Contains(upstream, ":") {
		return fmt.Errorf("%q is not a link; write CLIENT:UPSTREAM, as in \"web:db\"", s)
	}
	return nil
}

// somethingToLoad finds a dataset of nothing, and settings of rows that nobody
// asks to generate.
func somethingToLoad(n *yaml.Node) string {
	generated := child(n, "profile") != nil || child(n, "rows") != nil || child(n, "plan") != nil
	switch {
	case !generated && child(n, "sql") == nil:
		return "a dataset needs sql, profile or rows"
	case !generated:
		for _, name := range []string{"scale", "seed", "after"} {
			if child(n, name) != nil {
				return name + " is about generated rows; a dataset that generates any has a profile or rows"
			}
		}
	}
	if child(n, "churn") != nil && child(n, "profile") == nil {
		return "churn is the profile's write mix, and there is no profile"
	}
	return ""
}

func notEmpty(n *yaml.Node) string {
	if len(n.Content) == 0 {
		return "is empty"
	}
	return ""
}

func twoRegions(n *yaml.Node) string {
	regions := child(n, "regions").Content
	switch {
	case len(regions) != 2:
		return fmt.Sprintf("regions names %d regions; it takes two", len(regions))
	case regions[0].Value == regions[1].Value:
		return "regions names " + regions[0].Value + " twice; the distance inside a region is network.within"
	}
	return ""
}

// streamLosesNothing finds a loss in a network whose tier cannot carry it.
func streamLosesNothing(n *yaml.Node) string {
	if tier := child(n, "tier"); tier == nil || tier.Value != string(rehearse.TierStream) {
		return ""
	}
	shapes := []*yaml.Node{child(n, "within")}
	for _, list := range []string{"between", "links"} {
		if l := child(n, list); l != nil {
			shapes = append(shapes, l.Content...)
		}
	}
	for _, s := range shapes {
		if s == nil {
			continue
		}
		loss := child(s, "loss")
		if loss == nil {
			continue
		}
		if v, err := rehearse.ParseShare(loss.Value); err == nil && v > 0 {
			return "the tier stream loses nothing, but there is a loss; the tier model has one"
		}
	}
	return ""
}

func oneStep(n *yaml.Node) string {
	suite, load, experiment := child(n, "suite"), child(n, "load"), child(n, "experiment")
	switch {
	case suite == nil && load == nil && experiment == nil:
		return "a step needs suite, load or experiment"
	case suite != nil && load != nil:
		return "a step has either suite or load; make two steps of it"
	case suite != nil && experiment != nil:
		return "a step has either suite or experiment; make two steps of it"
	case suite != nil && child(n, "thresholds") != nil:
		return "thresholds belong to a load; a suite passes by its exit status"
	case suite != nil && child(n, "for") != nil:
		return "for belongs to a load; a suite has a timeout under suites"
	}
	return ""
}

// child is the value of a key, nil if there is none or it is null.
func child(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name && n.Content[i+1].ShortTag() != "!!null" {
			return n.Content[i+1]
		}
	}
	return nil
}

func parseBool(s string) error {
	if s != "true" && s != "false" {
		return fmt.Errorf("%q is neither true nor false", s)
	}
	return nil
}
