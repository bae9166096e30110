package schema

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// extra is how often more than it must something repeats that has no bound.
const extra = 8

// FromRegex makes a function that appends a text which matches a regular
// expression in the syntax of package regexp, as [Restriction] has it. The text
// follows from r alone. What repeats without a bound repeats a few times.
//
// The error says for what no text can be made: word boundaries, and anchors within
// a text.
func FromRegex(re string) (func(dst []byte, r uint64) []byte, error) {
	compiled, err := regexp.Compile(re)
	if err != nil {
		return nil, fmt.Errorf("regular expression: %w", err)
	}
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression: %w", err)
	}
	made, err := maker(tree, 0)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", re, err)
	}
	make := func(dst []byte, r uint64) []byte { return made(dst, &chance{r}) }
	for r := range uint64(32) {
		if !compiled.Match(make(nil, r)) {
			return nil, fmt.Errorf("regular expression %q: an anchor within a text is not understood", re)
		}
	}
	return make, nil
}

// chance is a stream of numbers that follow from one.
type chance struct{ state uint64 }

// below is a number from 0 to n-1. It is SplitMix64's.
func (c *chance) below(n int) int {
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

type appender func(dst []byte, c *chance) []byte

func maker(re *syntax.Regexp, depth int) (appender, error) {
	if depth > maxDepth {
		return nil, errors.New("it is nested too deeply")
	}
	var parts []appender
	for _, sub := range re.Sub {
		m, err := maker(sub, depth+1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, m)
	}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return func(dst []byte, _ *chance) []byte { return dst }, nil
	case syntax.OpLiteral:
		text := string(re.Rune)
		return func(dst []byte, _ *chance) []byte { return append(dst, text...) }, nil
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return set([]rune{'a', 'z', '0', '9'})
	case syntax.OpCharClass:
		return set(pleasant(re.Rune))
	case syntax.OpCapture:
		return parts[0], nil
	case syntax.OpStar:
		return repeated(parts[0], 0, extra), nil
	case syntax.OpPlus:
		return repeated(parts[0], 1, 1+extra), nil
	case syntax.OpQuest:
		return repeated(parts[0], 0, 1), nil
	case syntax.OpRepeat:
		most := re.Max
		if most < 0 {
			most = re.Min + extra
		}
		return repeated(parts[0], re.Min, most), nil
	case syntax.OpConcat:
		return func(dst []byte, c *chance) []byte {
			for _, p := range parts {
				dst = p(dst, c)
			}
			return dst
		}, nil
	case syntax.OpAlternate:
		return func(dst []byte, c *chance) []byte { return parts[c.below(len(parts))](dst, c) }, nil
	case syntax.OpNoMatch:
		return nil, errors.New("nothing matches it")
	}
	return nil, errors.New("a word boundary is not understood")
}

func repeated(one appender, least, most int) appender {
	return func(dst []byte, c *chance) []byte {
		for range least + c.below(most-least+1) {
			dst = one(dst, c)
		}
		return dst
	}
}

// pleasant are the letters and digits of a set, or its printable ASCII, or its
// printable part up to the surrogates, or what there is.
func pleasant(ranges []rune) []rune {
	for _, like := range [][]rune{{'0', '9', 'A', 'Z', 'a', 'z'}, {' ', '~'}, {0xa1, 0xd7ff}} {
		if both := intersect(ranges, like); len(both) > 0 {
			return both
		}
	}
	return ranges
}

func intersect(a, b []rune) (out []rune) {
	for i := 0; i < len(a); i += 2 {
		for j := 0; j < len(b); j += 2 {
			if lo, hi := max(a[i], b[j]), min(a[i+1], b[j+1]); lo <= hi {
				out = append(out, lo, hi)
			}
		}
	}
	return out
}

// set makes one character of some ranges.
func set(ranges []rune) (appender, error) {
	n := 0
	for i := 0; i < len(ranges); i += 2 {
		n += int(ranges[i+1]-ranges[i]) + 1
	}
	if n == 0 {
		return nil, errors.New("nothing matches it")
	}
	return func(dst []byte, c *chance) []byte {
		k := rune(c.below(n))
		for i := 0; i < len(ranges); i += 2 {
			size := ranges[i+1] - ranges[i] + 1
			if k < size {
				return utf8.AppendRune(dst, ranges[i]+k)
			}
			k -= size
		}
		return dst
	}, nil
}
