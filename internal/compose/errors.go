package compose

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// The shapes of compose-go's messages. A message that has none of them is passed
// on as it is: these only make it easier to act on.
var (
	inFile     = regexp.MustCompile(`^(?:failed to parse|validating) (\S.*?\.ya?ml): +`)
	atLine     = regexp.MustCompile(` ?(?:\bat )?\bline (\d+)(?:, column \d+)?: `)
	colons     = regexp.MustCompile(`(?:: +){2,}`)
	cycle      = regexp.MustCompile(`dependency cycle detected: (.*)$`)
	unknownKey = regexp.MustCompile(`^(\S+)\.([^.\s]+) false schema$`)
	extraKey   = regexp.MustCompile(`^(\S*) *additional properties '([^']+)' not allowed`)
	undefined  = regexp.MustCompile(`^service "([^"]+)" (?:depends on|refers to) undefined (\w+) "?([^":\s]+)"?`)
	required   = regexp.MustCompile(`^error while interpolating (\S+): required variable (\S+) is missing a value(?:: (.*))?$`)
	badDollar  = regexp.MustCompile(`(?s)^invalid interpolation format for (\S+)\.\n`)
	noImage    = regexp.MustCompile(`^service "([^"]+)" has neither`)
	decoded    = regexp.MustCompile(`^'(services\[[^']+)' `)
	keyPath    = regexp.MustCompile(`^(?:error while interpolating |invalid interpolation format for )?(\w+\.[\w.-]*\w)`)
	quotedName = regexp.MustCompile(`^service "([^"]+)"`)
)

// explain turns compose-go's error into one with a file, a line and a next step.
func explain(err error, src sources) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &rehearse.Error{Kind: rehearse.Interrupted, Msg: "read the Compose file", Err: err}
	}
	msg := strings.TrimSuffix(err.Error(), ": invalid compose project")
	msg = strings.TrimPrefix(msg, "decoding failed due to the following error(s):\n\n")
	msg = strings.ReplaceAll(msg, "yaml: construct errors:\n  ", "yaml: ")
	e := &rehearse.Error{Kind: rehearse.Invalid, File: src.show(src.files[0])}
	file := src.files[0]
	if m := inFile.FindStringSubmatch(msg); m != nil {
		file, msg = m[1], strings.TrimPrefix(msg, m[0])
		e.File = src.show(file)
	}
	for _, f := range append([]string{src.dir + string(filepath.Separator)}, src.files...) {
		msg = strings.ReplaceAll(msg, f, "")
	}
	if yaml, ok := strings.CutPrefix(msg, "yaml: "); ok {
		e.Msg, e.Line = yamlMessage(yaml)
		return e
	}
	if m := decoded.FindStringSubmatch(msg); m != nil {
		path := strings.NewReplacer("[", ".", "]", "").Replace(m[1])
		msg = path + ": " + strings.TrimPrefix(msg, m[0])
	}
	e.Msg = strings.Join(strings.Fields(msg), " ")
	e.Line = lineOf(file, msg)
	rewrite(e, msg)
	return e
}

// yamlMessage takes the line out of a YAML parser's message. Of several lines
// the last is where the parser gave up.
func yamlMessage(msg string) (string, int) {
	line := 0
	for _, m := range atLine.FindAllStringSubmatch(msg, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	if strings.Contains(msg, "cannot construct !!") && strings.Contains(msg, "into cli.") {
		return "not a Compose file: its top level is no mapping", line
	}
	msg = strings.TrimPrefix(colons.ReplaceAllString(atLine.ReplaceAllString(msg, ": "), ": "), ": ")
	return "not valid YAML: " + strings.Join(strings.Fields(msg), " "), line
}

// rewrite says the common mistakes in plainer words.
func rewrite(e *rehearse.Error, msg string) {
	if m := cycle.FindStringSubmatch(msg); m != nil {
		e.Msg = "services need each other in a circle: " + m[1]
		e.Hint = "Take one of these out of depends_on, or let one service wait for the other by itself."
	} else if m := unknownKey.FindStringSubmatch(msg); m != nil {
		e.Msg = m[1] + `: there is no key "` + m[2] + `"` + nearest(m[2], serviceKeys())
	} else if m := extraKey.FindStringSubmatch(msg); m != nil {
		e.Msg = `there is no key "` + m[2] + `"`
		if m[1] != "" {
			e.Msg = m[1] + ": " + e.Msg
		} else {
			e.Msg += nearest(m[2], topKeys)
		}
	} else if m := undefined.FindStringSubmatch(msg); m != nil {
		e.Msg = "service " + m[1] + " refers to the " + m[2] + " " + m[3] + ", which is not defined"
		e.Hint = "Define it in the Compose file; if it belongs to a profile, switch that on with --profile."
	} else if m := required.FindStringSubmatch(msg); m != nil {
		e.Msg = m[1] + ": the variable " + m[2] + " is required and has no value"
		if m[3] != "" {
			e.Msg += ": " + m[3]
		}
		e.Hint = "Set " + m[2] + " in the environment, in .env, or in a file named with --env-file."
	} else if m := badDollar.FindStringSubmatch(msg); m != nil {
		e.Msg = m[1] + ": the interpolation is not well formed"
		e.Hint = "Close every ${, and write $$ for a dollar sign."
	} else if m := noImage.FindStringSubmatch(msg); m != nil {
		e.Msg = "service " + m[1] + " has neither image nor build"
	} else if msg == "empty compose file" {
		e.Msg = "the Compose file is empty"
	}
}

var topKeys = []string{"name", "services", "networks", "volumes", "configs", "secrets", "include", "models", "jobs"}

func nearest(word string, known []string) string {
	if k, ok := rehearse.Nearest(word, known); ok {
		return "; did you mean " + k + "?"
	}
	return ""
}

// serviceKeys lists the keys of a service.
func serviceKeys() []string {
	var keys []string
	for _, k := range keysOf(reflect.TypeFor[types.ServiceConfig]()) {
		keys = append(keys, k.name)
	}
	return keys
}

// lineOf finds the line that a message's path speaks of, as far down the path
// as a plain look at the file can tell; 0 when that is nowhere.
func lineOf(file, msg string) int {
	var path []string
	if m := extraKey.FindStringSubmatch(msg); m != nil {
		path = append(strings.FieldsFunc(m[1], isDot), m[2])
	} else if m := keyPath.FindStringSubmatch(msg); m != nil {
		path = strings.FieldsFunc(m[1], isDot)
	} else if m := undefined.FindStringSubmatch(msg); m != nil {
		field := m[2] + "s"
		if m[2] == "service" {
			field = "depends_on"
		}
		path = []string{"services", m[1], field}
	} else if m := quotedName.FindStringSubmatch(msg); m != nil {
		path = []string{"services", m[1]}
	}
	line, lines := 0, readLines(file)
	for _, key := range path {
		n := findKey(lines, line, key)
		if n == 0 {
			break
		}
		line = n
	}
	return line
}

func isDot(r rune) bool { return r == '.' }

func readLines(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Split(string(data), "\n")
}

// findKey finds a key in the block that line number parent opens (0: the
// document). It returns the line's number, 0 if there is none.
func findKey(lines []string, parent int, key string) int {
	outer, inner := -1, -1
	if parent > 0 {
		outer = indent(lines[parent-1])
	}
	for i, line := range lines[parent:] {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text == "---" {
			continue
		}
		n := indent(line)
		if n <= outer {
			return 0
		}
		if inner < 0 {
			inner = n
		}
		k, _, ok := strings.Cut(text, ":")
		if ok && n == inner && strings.Trim(k, `"'`) == key {
			return parent + i + 1
		}
	}
	return 0
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
