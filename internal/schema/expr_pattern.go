package schema

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// pattern is what LIKE or a regular expression's operator looks for.
type pattern struct {
	re     *regexp.Regexp
	source string // in the syntax of package regexp
}

func (p *pattern) match(s string) bool { return p.re.MatchString(s) }

// match is the node of left op right, where op is one of ~~ and ~ with ! before
// and * behind.
func (p *parser) match(op string, left, right *node) (*node, error) {
	if !right.constant() {
		return nil, errors.New("a pattern that is not constant is not understood")
	}
	if right.val.IsNull() {
		return constant(Value{}), nil
	}
	bare := strings.Trim(op, "!*")
	fold := strings.HasSuffix(op, "*") || p.mysql || left.typ.name == "citext"
	var source string
	var err error
	switch {
	case bare == "~~":
		source, err = likePattern(right.val.Text)
	case p.mysql:
		source = right.val.Text
	default:
		source, err = translateRegex(right.val.Text)
	}
	if err != nil {
		return nil, err
	}
	if fold {
		source = "(?i)" + source
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %q is not understood: %w", right.val.Text, err)
	}
	n := &node{op: opMatch, args: []*node{left}, pattern: &pattern{re, source}, not: strings.HasPrefix(op, "!")}
	return p.fold(n)
}

// likePattern is a LIKE pattern as a regular expression.
func likePattern(s string) (string, error) {
	var b strings.Builder
	b.WriteString("(?s)^")
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch r {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteString(".")
		case '\\':
			if i == len(s) {
				return "", errors.New("a LIKE pattern ends in its escape character")
			}
			r, n = utf8.DecodeRuneInString(s[i:])
			i += n
			fallthrough
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString("$")
	return b.String(), nil
}

func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// similarPattern is a SIMILAR TO pattern as PostgreSQL's regular expression, as
// similar_to_escape makes it.
func similarPattern(s string) string {
	var b strings.Builder
	b.WriteString("^(?:")
	set := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case set:
			set = c != ']'
			b.WriteByte(c)
		case c == '[':
			set = true
			b.WriteByte(c)
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteByte('.')
		case c == '(':
			b.WriteString("(?:")
		case c == '.' || c == '^' || c == '$' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(")$")
	return b.String()
}

// Classes of characters as PostgreSQL knows them by the C library's locale.
const (
	wordClass  = `\p{L}\p{M}\p{N}_`
	alphaClass = `\p{L}\p{M}`
	alnumClass = `\p{L}\p{M}\p{N}`
	spaceClass = `\t-\r \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}`
)

// translateRegex turns PostgreSQL's advanced regular expression into one of
// package regexp. What differs in more than spelling is refused.
func translateRegex(s string) (string, error) {
	flags := "(?s)"
	if strings.HasPrefix(s, "***") {
		return "", fmt.Errorf("the regular expression's director %q is not understood", s[:min(4, len(s))])
	}
	if rest, ok := strings.CutPrefix(s, "(?i)"); ok {
		flags, s = "(?is)", rest
	} else if strings.HasPrefix(s, "(?") && len(s) > 2 && strings.IndexByte(":=!<", s[2]) < 0 {
		return "", fmt.Errorf("the options of the regular expression %q are not understood", s)
	}
	var b strings.Builder
	b.WriteString(flags)
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\\':
			text, n, err := translateEscape(s[i:], false)
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			i += n
		case c == '[':
			text, n, err := translateSet(s[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			i += n
		case c == '(' && strings.HasPrefix(s[i:], "(?") && !strings.HasPrefix(s[i:], "(?:"):
			return "", fmt.Errorf("the constraint %q of a regular expression is not understood", s[i:min(i+3, len(s))])
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), nil
}

// translateEscape translates what begins with a backslash, and says how long it
// was.
func translateEscape(s string, inSet bool) (string, int, error) {
	if len(s) < 2 {
		return "", 0, errors.New("a regular expression ends in a backslash")
	}
	set := func(class string) (string, int, error) {
		if inSet {
			return class, 2, nil
		}
		return "[" + class + "]", 2, nil
	}
	refuse := fmt.Errorf("%q in a regular expression is not understood", s[:2])
	switch c := s[1]; c {
	case 'd':
		return set("0-9")
	case 'w':
		return set(wordClass)
	case 's':
		return set(spaceClass)
	case 'D', 'W', 'S':
		if inSet {
			return "", 0, refuse
		}
		class := map[byte]string{'D': "0-9", 'W': wordClass, 'S': spaceClass}[c]
		return "[^" + class + "]", 2, nil
	case 'n', 't', 'r', 'f', 'v', 'a':
		return s[:2], 2, nil
	case 'b':
		return `\x08`, 2, nil
	case 'B':
		return `\\`, 2, nil
	case 'e':
		return `\x1b`, 2, nil
	case 'A', 'Z':
		if inSet {
			return "", 0, refuse
		}
		return map[byte]string{'A': `\A`, 'Z': `\z`}[c], 2, nil
	case 'u':
		if len(s) >= 6 {
			return `\x{` + s[2:6] + `}`, 6, nil
		}
	case 'x', 'm', 'M', 'y', 'Y', 'c', 'U', 'Q':
	default:
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[1:])
			return string(r), 1 + n, nil
		default:
			return s[:2], 2, nil
		}
	}
	return "", 0, refuse
}

// translateSet translates a bracket expression.
func translateSet(s string) (string, int, error) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(s) && s[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(s); first = false {
		switch c := s[i]; {
		case c == ']' && !first:
			b.WriteByte(']')
			return b.String(), i + 1, nil
		case c == ']':
			b.WriteString(`\]`)
			i++
		case c == '\\':
			text, n, err := translateEscape(s[i:], true)
			if err != nil {
				return "", 0, err
			}
			b.WriteString(text)
			i += n
		case strings.HasPrefix(s[i:], "[:"):
			end := strings.Index(s[i:], ":]")
			if end < 0 {
				return "", 0, errors.New("a character class of a regular expression is never closed")
			}
			class := map[string]string{"alpha": alphaClass, "alnum": alnumClass, "digit": "0-9", "space": spaceClass, "word": wordClass, "upper": `\p{Lu}`, "lower": `\p{Ll}`,
				"xdigit": "0-9A-Fa-f", "blank": `\t `, "punct": "[:punct:]", "cntrl": "[:cntrl:]"}[s[i+2:i+end]]
			if class == "" {
				return "", 0, fmt.Errorf("the character class %q is not understood", s[i+2:i+end])
			}
			b.WriteString(class)
			i += end + 2
		case c == '[' && i+1 < len(s) && (s[i+1] == '.' || s[i+1] == '='):
			return "", 0, errors.New("a collating element of a regular expression is not understood")
		case c == '[':
			b.WriteString(`\[`)
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return "", 0, errors.New("a bracket of a regular expression is never closed")
}
