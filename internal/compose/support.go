package compose

import (
	"slices"
	"strings"
)

// level is how far a driver does what a key asks for.
type level int

const (
	supported    level = iota
	approximated       // done in another way, or left out
	refused            // an error
)

func (l level) String() string { return [...]string{"supported", "approximated", "refused"}[l] }

// answer is what a driver makes of a key.
type answer struct {
	level level
	// text says what happens instead: complete sentences.
	text string
	// note says that plans name the key wherever a file has it; opening, that
	// the note begins with the sentence that the driver does not honour it.
	note, opening bool
	// parent gives the answer of the key above, which is enough to note.
	parent bool
	// only and but are the values for which the answer holds, and those for
	// which it does not, where the key is supported otherwise. One that ends in
	// "_" or ":" stands for all that begin with it.
	only, but []string
}

// The answers. What is left out or differs stands in the notes of every plan
// that has the key; what is otherwise does not: it is the same for everyone, or
// the mapping notes it in words of its own.
var (
	yes   = answer{}
	above = answer{parent: true}
)

func leftOut(text string) answer {
	return answer{level: approximated, text: text, note: true, opening: true}
}

func differs(text string) answer { return answer{level: approximated, text: text, note: true} }

func otherwise(text string) answer { return answer{level: approximated, text: text} }

func refusal(text string) answer { return answer{level: refused, text: text} }

func (a answer) onlyFor(values ...string) answer {
	a.only = values
	return a
}

func (a answer) butFor(values ...string) answer {
	a.but = values
	return a
}

// holds reports whether the answer is for these values: of a list one is enough.
func (a answer) holds(values []string) bool {
	matches := func(patterns []string, value string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			open := strings.HasSuffix(p, ":") || strings.HasSuffix(p, "_")
			return value == p || open && strings.HasPrefix(value, p)
		})
	}
	switch {
	case a.only != nil:
		return slices.ContainsFunc(values, func(v string) bool { return matches(a.only, v) })
	case a.but != nil:
		return slices.ContainsFunc(values, func(v string) bool { return !matches(a.but, v) })
	}
	return true
}

// sentence is what notes say of the key.
func (a answer) sentence(driver, key string) string {
	if !a.opening {
		return a.text
	}
	return strings.TrimSpace("The " + driver + " driver does not honour " + key + ". " + a.text)
}

// row is a key of the specification with each driver's answer. A key that ends
// in ".*" stands for all that are below it and have no row.
type row struct {
	key             string
	process, docker answer
}

// section is a part of the table, whose keys all begin with the prefix.
type section struct {
	title, prefix string
	rows          []row
}

// table answers for every key of the Compose specification that compose-go
// knows. It is the source of the plans' notes and of docs/compose-support.md.
var table = slices.Concat(projectTable, serviceTable)

// answers is the table by key.
var answers = func() map[string]row {
	all := map[string]row{}
	for _, s := range table {
		for _, r := range s.rows {
			all[s.prefix+r.key] = r
		}
	}
	return all
}()

// answerFor finds what a driver makes of a key by its whole path, as in
// "services.build.args". A key without a row, which none is that compose-go
// knows, is one that no driver honours.
func answerFor(driver, path string) answer {
	r, ok := answers[path]
	i := strings.LastIndexByte(path, '.')
	for up := i; !ok && up > 0; up = strings.LastIndexByte(path[:up], '.') {
		r, ok = answers[path[:up]+".*"]
	}
	if !ok {
		return leftOut("")
	}
	a := r.process
	if driver == "docker" {
		a = r.docker
	}
	if a.parent && i > 0 {
		a = answerFor(driver, path[:i])
		a.note, a.opening = false, false
	}
	return a
}
