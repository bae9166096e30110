// Package document decodes YAML documents of a strict format: every problem of a file
// is found at once, each with its line and, where there is one, a way out.
//
// A format's parser embeds a [Decoder], asks it for the document's root, and walks from
// there: [Decoder.Fields] of a mapping whose keys are known, [Decoder.Pairs] of one whose
// keys are names, [Decoder.Items] of a list. Aliases are followed.
package document

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

// Decoder walks YAML nodes and collects every problem instead of stopping at
// the first. Its methods give the zero value for what they complained about.
type Decoder struct {
	File     string // its name in errors
	Problems rehearse.Problems
}

// Complain records a problem at a node; the hint may be empty.
func (d *Decoder) Complain(n *yaml.Node, hint, format string, args ...any) {
	d.Problems = append(d.Problems, &rehearse.Error{
		Kind: rehearse.Invalid,
		File: d.File,
		Line: n.Line,
		Msg:  fmt.Sprintf(format, args...),
		Hint: hint,
	})
}

// Err gives the problems in the order of the file.
func (d *Decoder) Err() error {
	slices.SortStableFunc(d.Problems, func(a, b *rehearse.Error) int { return cmp.Compare(a.Line, b.Line) })
	return d.Problems.Err()
}

var syntaxErrorLine = regexp.MustCompile(`^line (\d+): `)

// Root parses the file's only document; what names what it holds, as in "profile".
// It gives nil after a complaint.
func (d *Decoder) Root(data []byte, what string) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, rest yaml.Node
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		d.Complain(&yaml.Node{}, "Start with \"version: 1\".", "the file is empty")
		return nil
	case err != nil:
		d.complainSyntax(err)
		return nil
	}
	if err := dec.Decode(&rest); err == nil {
		d.Complain(&rest, "Put each "+what+" in a file of its own.", "a second document in the file")
	} else if !errors.Is(err, io.EOF) {
		d.complainSyntax(err)
	}
	return doc.Content[0]
}

func (d *Decoder) complainSyntax(err error) {
	at := &yaml.Node{}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxErrorLine.FindStringSubmatch(text); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	d.Complain(at, "", "the file is not YAML: %s", text)
}

// Pairs calls do for each key of a mapping, in the order of the file, and
// complains of keys that come twice.
func (d *Decoder) Pairs(n *yaml.Node, what string, do func(key, value *yaml.Node)) {
	if n = Resolve(n); n.Kind != yaml.MappingNode {
		d.Complain(n, "", "%s must be a mapping, not %s", what, Describe(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := Resolve(n.Content[i]), Resolve(n.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode:
			d.Complain(key, "", "a key of %s must be a word, not %s", what, Describe(key))
		case seen[key.Value]:
			d.Complain(n.Content[i], "", "the key %q is given twice", key.Value)
		default:
			seen[key.Value] = true
			do(n.Content[i], value)
		}
	}
}

// Fields decodes a mapping whose keys are known. It reports which were there.
func (d *Decoder) Fields(n *yaml.Node, what string, known map[string]func(*yaml.Node)) map[string]bool {
	given := map[string]bool{}
	d.Pairs(n, what, func(key, value *yaml.Node) {
		name := Resolve(key).Value
		decode, ok := known[name]
		if !ok {
			names := slices.Sorted(maps.Keys(known))
			hint := "The keys of " + what + " are " + strings.Join(names, ", ") + "."
			if near, ok := rehearse.Nearest(name, names); ok {
				hint = fmt.Sprintf("Did you mean %q?", near)
			}
			d.Complain(key, hint, "unknown key %q in %s", name, what)
			return
		}
		given[name] = true
		decode(value)
	})
	return given
}

// Items calls do for each element of a sequence.
func (d *Decoder) Items(n *yaml.Node, what string, do func(*yaml.Node)) {
	if n = Resolve(n); n.Kind != yaml.SequenceNode {
		d.Complain(n, "Write a list, as in [a, b].", "%s must be a list, not %s", what, Describe(n))
		return
	}
	for _, item := range n.Content {
		do(Resolve(item))
	}
}

// Text accepts every scalar but null, as it is written: in `lists: {page: [1, 2]}`
// the values are texts that look like numbers.
func (d *Decoder) Text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		d.Complain(n, "", "%s must be text, not %s", what, Describe(n))
		return ""
	}
	return n.Value
}

// Word is a text that is one of the known ones.
func (d *Decoder) Word(n *yaml.Node, what string, known []string) string {
	problems := len(d.Problems)
	text := d.Text(n, what)
	if len(d.Problems) > problems || slices.Contains(known, text) {
		return text
	}
	hint := ""
	for _, guess := range []string{text, strings.ToUpper(text), strings.ToLower(text)} {
		if near, ok := rehearse.Nearest(guess, known); ok {
			hint = "Did you mean " + near + "?"
			break
		}
	}
	d.Complain(n, hint, "%s must be %s, not %q", what, orList(known), text)
	return ""
}

// Number is a finite number.
func (d *Decoder) Number(n *yaml.Node, what string) (float64, bool) {
	var v float64
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" || n.Decode(&v) != nil ||
		math.IsNaN(v) || math.IsInf(v, 0) {
		d.Complain(n, "", "%s must be a number, not %s", what, Describe(n))
		return 0, false
	}
	return v, true
}

// Whole is a whole number.
func (d *Decoder) Whole(n *yaml.Node, what string) (int, bool) {
	var v int
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&v) != nil {
		d.Complain(n, "", "%s must be a whole number, not %s", what, Describe(n))
		return 0, false
	}
	return v, true
}

// Duration is a time that is not negative.
func (d *Decoder) Duration(n *yaml.Node, what string) (rehearse.Duration, bool) {
	const hint = "Write a number and a unit, as in 500ms, 20s or 5m."
	if n.Kind != yaml.ScalarNode {
		d.Complain(n, hint, "%s must be a duration, not %s", what, Describe(n))
		return 0, false
	}
	v, err := time.ParseDuration(n.Value)
	switch {
	case err != nil:
		d.Complain(n, hint, "%s must be a duration, not %s", what, Describe(n))
		return 0, false
	case v < 0:
		d.Complain(n, "", "%s must not be negative, as %s is", what, n.Value)
		return 0, false
	}
	return rehearse.Duration(v), true
}

// Resolve follows an alias to the node it stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Describe names a node in an error message.
func Describe(n *yaml.Node) string {
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
