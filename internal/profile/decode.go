package profile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"go.yaml.in/yaml/v3"
)

// decoder walks YAML nodes and collects every problem instead of stopping at
// the first. Its methods give the zero value for what they complained about.
type decoder struct {
	file     string
	problems rehearse.Problems
}

// complain records a problem at a node; the hint may be empty.
func (d *decoder) complain(n *yaml.Node, hint, format string, args ...any) {
	d.problems = append(d.problems, &rehearse.Error{
		Kind: rehearse.Invalid,
		File: d.file,
		Line: n.Line,
		Msg:  fmt.Sprintf(format, args...),
		Hint: hint,
	})
}

// err gives the problems in the order of the file.
func (d *decoder) err() error {
	slices.SortStableFunc(d.problems, func(a, b *rehearse.Error) int { return cmp.Compare(a.Line, b.Line) })
	return d.problems.Err()
}

var syntaxErrorLine = regexp.MustCompile(`^line (\d+): `)

// document parses the file's only document. It gives nil after a complaint.
func (d *decoder) document(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, rest yaml.Node
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		d.complain(&yaml.Node{}, "Start with \"version: 1\".", "the file is empty")
		return nil
	case err != nil:
		d.complainSyntax(err)
		return nil
	}
	if err := dec.Decode(&rest); err == nil {
		d.complain(&rest, "Put each profile in a file of its own.", "a second document in the file")
	} else if !errors.Is(err, io.EOF) {
		d.complainSyntax(err)
	}
	return doc.Content[0]
}

func (d *decoder) complainSyntax(err error) {
	at := &yaml.Node{}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxErrorLine.FindStringSubmatch(text); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	d.complain(at, "", "the file is not YAML: %s", text)
}

// pairs calls do for each key of a mapping, in the order of the file, and
// complains of keys that come twice.
func (d *decoder) pairs(n *yaml.Node, what string, do func(key, value *yaml.Node)) {
	if n = resolve(n); n.Kind != yaml.MappingNode {
		d.complain(n, "", "%s must be a mapping, not %s", what, describe(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode:
			d.complain(key, "", "a key of %s must be a word, not %s", what, describe(key))
		case seen[key.Value]:
			d.complain(n.Content[i], "", "the key %q is given twice", key.Value)
		default:
			seen[key.Value] = true
			do(n.Content[i], value)
		}
	}
}

// fields decodes a mapping whose keys are known. It reports which were there.
func (d *decoder) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node)) map[string]bool {
	given := map[string]bool{}
	d.pairs(n, what, func(key, value *yaml.Node) {
		name := resolve(key).Value
		decode, ok := known[name]
		if !ok {
			names := slices.Sorted(maps.Keys(known))
			hint := "The keys of " + what + " are " + strings.Join(names, ", ") + "."
			if near, ok := rehearse.Nearest(name, names); ok {
				hint = fmt.Sprintf("Did you mean %q?", near)
			}
			d.complain(key, hint, "unknown key %q in %s", name, what)
			return
		}
		given[name] = true
		decode(value)
	})
	return given
}

// items calls do for each element of a sequence.
func (d *decoder) items(n *yaml.Node, what string, do func(*yaml.Node)) {
	if n = resolve(n); n.Kind != yaml.SequenceNode {
		d.complain(n, "Write a list, as in [a, b].", "%s must be a list, not %s", what, describe(n))
		return
	}
	for _, item := range n.Content {
		do(resolve(item))
	}
}

// text accepts every scalar but null, as it is written: in `lists: {page: [1, 2]}`
// the values are texts that look like numbers.
func (d *decoder) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		d.complain(n, "", "%s must be text, not %s", what, describe(n))
		return ""
	}
	return n.Value
}

// word is a text that is one of the known ones.
func (d *decoder) word(n *yaml.Node, what string, known []string) string {
	problems := len(d.problems)
	text := d.text(n, what)
	if len(d.problems) > problems || slices.Contains(known, text) {
		return text
	}
	hint := ""
	for _, guess := range []string{text, strings.ToUpper(text), strings.ToLower(text)} {
		if near, ok := rehearse.Nearest(guess, known); ok {
			hint = "Did you mean " + near + "?"
			break
		}
	}
	d.complain(n, hint, "%s must be %s, not %q", what, orList(known), text)
	return ""
}

// number is a finite number.
func (d *decoder) number(n *yaml.Node, what string) (float64, bool) {
	var v float64
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" || n.Decode(&v) != nil ||
		math.IsNaN(v) || math.IsInf(v, 0) {
		d.complain(n, "", "%s must be a number, not %s", what, describe(n))
		return 0, false
	}
	return v, true
}

// whole is a whole number.
func (d *decoder) whole(n *yaml.Node, what string) (int, bool) {
	var v int
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&v) != nil {
		d.complain(n, "", "%s must be a whole number, not %s", what, describe(n))
		return 0, false
	}
	return v, true
}

// duration is a time that is not negative.
func (d *decoder) duration(n *yaml.Node, what string) (rehearse.Duration, bool) {
	const hint = "Write a number and a unit, as in 500ms, 20s or 5m."
	if n.Kind != yaml.ScalarNode {
		d.complain(n, hint, "%s must be a duration, not %s", what, describe(n))
		return 0, false
	}
	v, err := time.ParseDuration(n.Value)
	switch {
	case err != nil:
		d.complain(n, hint, "%s must be a duration, not %s", what, describe(n))
		return 0, false
	case v < 0:
		d.complain(n, "", "%s must not be negative, as %s is", what, n.Value)
		return 0, false
	}
	return rehearse.Duration(v), true
}

// resolve follows an alias to the node it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// describe names a node in an error message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "empty"
	}
	return strconv.Quote(n.Value)
}

func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
