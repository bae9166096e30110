package schema

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is a kind of token.
type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokWord
	tokQuoted // a quoted name
	tokNumber
	tokString
	tokBits // x'…' or b'…', as bytes
	tokOp
)

type token struct {
	kind tokenKind
	text string // words as they are written, strings without their quotes
}

// is reports whether the token is an operator or a bare word, whatever its case.
func (t token) is(s string) bool {
	return (t.kind == tokWord && strings.EqualFold(t.text, s)) || (t.kind == tokOp && t.text == s)
}

// operators, longest first.
var operators = []string{
	"->>", "#>>", "!~~*", "!~~", "!~*", "~~*", "<=>",
	"::", "->", "#>", "!~", "~~", "~*", "<=", ">=", "<>", "!=", "||", "&&", "@>", "<@", "?|", "?&", "<<", ">>", "**",
	"(", ")", "[", "]", ",", ".", "+", "-", "*", "/", "%", "^", "<", ">", "=", "~", "?", "!", "&", "|", ":",
}

// lex takes the next token from p.rest.
func (p *parser) lex() (token, error) {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	s := p.rest
	if s == "" {
		return token{}, nil
	}
	take := func(kind tokenKind, text string, n int) (token, error) {
		p.rest = s[n:]
		return token{kind, text}, nil
	}
	c := s[0]
	switch {
	case c == '\'' || c == '\\' && strings.HasPrefix(s, `\'`):
		text, n, err := p.quoted(s)
		if err != nil {
			return token{}, err
		}
		return take(tokString, text, n)
	case (c == 'E' || c == 'e') && len(s) > 1 && s[1] == '\'' && !p.mysql:
		text, n, err := unescaped(s[1:], `'`)
		if err != nil {
			return token{}, err
		}
		return take(tokString, text, n+1)
	case strings.IndexByte("xXbB", c) >= 0 && len(s) > 1 && s[1] == '\'':
		return p.lexBits(s)
	case c == '"' || c == '`':
		text, n, err := doubled(s, c)
		if err != nil {
			return token{}, err
		}
		return take(tokQuoted, text, n)
	case c >= '0' && c <= '9' || c == '.' && len(s) > 1 && s[1] >= '0' && s[1] <= '9':
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || (s[i] == 'e' || s[i] == 'E') ||
			(s[i] == '-' || s[i] == '+') && i > 0 && (s[i-1] == 'e' || s[i-1] == 'E')) {
			i++
		}
		return take(tokNumber, s[:i], i)
	}
	if r, _ := utf8.DecodeRuneInString(s); r == '_' || unicode.IsLetter(r) {
		i := strings.IndexFunc(s, func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if i < 0 {
			i = len(s)
		}
		if p.mysql && c == '_' && i < len(s) && (s[i] == '\'' || s[i] == '\\') {
			// A character set before a string: _utf8mb4'a'.
			p.rest = s[i:]
			return p.lex()
		}
		return take(tokWord, s[:i], i)
	}
	for _, o := range operators {
		if strings.HasPrefix(s, o) {
			return take(tokOp, o, len(o))
		}
	}
	r, _ := utf8.DecodeRuneInString(s)
	return token{}, fmt.Errorf("%q is not understood", r)
}

// quoted reads a string, s beginning with its quote.
func (p *parser) quoted(s string) (text string, n int, err error) {
	if strings.HasPrefix(s, `\'`) { // MySQL 8's INFORMATION_SCHEMA escapes the quotes themselves
		end := strings.Index(s[2:], `\'`)
		if end < 0 {
			return "", 0, errOpen
		}
		return s[2 : 2+end], end + 4, nil
	}
	if p.mysql {
		return unescaped(s, `'`)
	}
	return doubled(s, '\'')
}

var errOpen = fmt.Errorf("a quote is never closed")

// doubled reads what stands in quotes that are doubled within.
func doubled(s string, quote byte) (text string, n int, err error) {
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		q := string(quote)
		return strings.ReplaceAll(s[1:i], q+q, q), i + 1, nil
	}
	return "", 0, errOpen
}

// unescaped reads a string with backslashes.
func unescaped(s, quote string) (text string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote[0] && i+1 < len(s) && s[i+1] == quote[0]:
			b.WriteByte(c)
			i++
		case c == quote[0]:
			return b.String(), i + 1, nil
		case c == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case 'b':
				b.WriteByte('\b')
			case '0':
				b.WriteByte(0)
			case 'Z':
				b.WriteByte(26)
			case '%', '_': // patterns keep their backslash
				b.WriteByte('\\')
				b.WriteByte(s[i])
			default:
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, errOpen
}

func (p *parser) lexBits(s string) (token, error) {
	end := strings.IndexByte(s[2:], '\'')
	if end < 0 {
		return token{}, errOpen
	}
	p.rest = s[end+3:]
	body := s[2 : 2+end]
	if s[0] == 'b' || s[0] == 'B' {
		return token{tokString, body}, nil // bits are their text
	}
	b, ok := unhex(body)
	if !ok {
		return token{}, fmt.Errorf("x'%s' is not hexadecimal", body)
	}
	return token{tokBits, b}, nil
}

func unhex(s string) (string, bool) {
	if len(s)%2 != 0 {
		return "", false
	}
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); i += 2 {
		hi, lo := strings.IndexByte("0123456789abcdef", s[i]|0x20), strings.IndexByte("0123456789abcdef", s[i+1]|0x20)
		if hi < 0 || lo < 0 {
			return "", false
		}
		out = append(out, byte(hi<<4|lo))
	}
	return string(out), true
}
