package check

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError is what is wrong with an expression, and where.
type SyntaxError struct {
	Column int    // counts characters from 1
	Msg    string // a phrase that starts in lower case
	Hint   string // a complete sentence; may be empty
}

// Error is "column 12: message".
func (e *SyntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Msg) }

// token is a piece of an expression. The end of the text has an empty one.
type token struct {
	at    int    // byte offset
	text  string // as written
	value string // of a string: what it says
	kind  tokenKind
}

type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenSymbol           // an operator or a bracket
	tokenWord             // a name, a field or a keyword
	tokenNumber           // with its unit, if it has one
	tokenString
)

// symbols, the longer before those that they begin with.
var symbols = [...]string{"&&", "||", ">>", ">=", "<=", "!=", "=~", "!~", "{", "}", "(", ")", "|", ">", "<", "=", "~"}

// next reads the token at an offset of the text.
func (p *parser) next() token {
	at := p.at
	for at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[at]) >= 0 {
		at++
	}
	rest := p.text[at:]
	if rest == "" {
		p.at = at
		return token{at: at}
	}
	t := token{at: at, kind: tokenSymbol}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			t.text = s
			p.at = at + len(s)
			return t
		}
	}
	switch c := rest[0]; {
	case c == '"' || c == '`':
		t.kind, t.text, t.value = tokenString, "", ""
		p.quoted(&t, rest)
	case c >= '0' && c <= '9' || c == '-' || c == '+':
		n := 1
		for n < len(rest) && (isWord(rest[n]) || rest[n] == '.' || (rest[n] == '-' || rest[n] == '+') && rest[n-1]|0x20 == 'e') {
			n++
		}
		t.kind, t.text = tokenNumber, rest[:n]
	case isWord(c) || c == '.':
		n := wordLength(rest)
		t.kind, t.text = tokenWord, rest[:n]
	default:
		_, n := utf8.DecodeRuneInString(rest)
		p.fail(at, fmt.Sprintf("%q is nothing that an expression has", rest[:n]), "")
	}
	p.at = at + len(t.text)
	return t
}

// wordLength is how long the word at the beginning of the text is.
func wordLength(s string) int {
	n := 0
	for n < len(s) && (isWord(s[n]) || strings.IndexByte(".:-/", s[n]) >= 0) {
		n++
	}
	return n
}

// isWord is true for what begins a word; bytes of other alphabets are letters.
func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// quoted reads a string: in double quotes with \" and \\, or in backquotes as it
// stands.
func (p *parser) quoted(t *token, rest string) {
	quote := rest[0]
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == quote:
			t.text, t.value = rest[:i+1], b.String()
			return
		case c == '\\' && quote == '"' && i+1 < len(rest):
			i++
			switch rest[i] {
			case '"', '\\':
				b.WriteByte(rest[i])
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			default:
				// A regular expression's own escapes stay what they are: "\d+".
				b.WriteByte('\\')
				b.WriteByte(rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	p.fail(t.at, "the string does not end", "Close it with "+string(quote)+".")
}

// quote writes a string as quoted reads it.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}
