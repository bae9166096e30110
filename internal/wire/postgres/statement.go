package postgres

import "bytes"

// class is what the words of a statement, or of several, say about it.
type class struct {
	writes   string // the first word that writes; empty: none does
	commit   bool   // the first is COMMIT or END
	rollback bool   // the first is ROLLBACK or ABORT
}

// classify reads SQL as far as its words go. Which commands write follows the
// documentation of SET TRANSACTION READ ONLY.
func classify(sql []byte) (c class) {
	s := scanner{rest: sql}
	for first := true; ; {
		word, ok := s.start()
		if !ok {
			return c
		}
		if first {
			c.commit = is(word, "COMMIT") || is(word, "END")
			c.rollback = is(word, "ROLLBACK") || is(word, "ABORT")
			first = false
		}
		if c.writes = s.writes(word); c.writes != "" {
			return c
		}
		s.skip()
	}
}

var (
	changes  = []string{"INSERT", "UPDATE", "DELETE", "MERGE"}
	commands = []string{"TRUNCATE", "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT", "REFRESH", "REASSIGN", "IMPORT", "SECURITY"}
	locks    = []string{"UPDATE", "SHARE", "NO", "KEY"}
)

func among(word []byte, words []string) string {
	for _, w := range words {
		if is(word, w) {
			return w
		}
	}
	return ""
}

// writes reads on in a statement that begins with a word.
func (s *scanner) writes(word []byte) string {
	if w := among(word, changes); w != "" {
		return w
	}
	if w := among(word, commands); w != "" {
		return w
	}
	switch {
	case is(word, "COPY"):
		return s.find(func(before token, word []byte) string {
			if s.depth == 0 && is(word, "FROM") {
				return "COPY FROM"
			}
			return ""
		})
	case is(word, "EXPLAIN"):
		analyze := false
		return s.find(func(_ token, word []byte) string {
			analyze = analyze || is(word, "ANALYZE") || is(word, "ANALYSE")
			if analyze {
				return among(word, changes)
			}
			return ""
		})
	case is(word, "WITH"), is(word, "SELECT"), is(word, "TABLE"), is(word, "VALUES"):
		into := s.depth
		return s.find(func(before token, word []byte) string {
			switch {
			case before.kind == '(' || before.kind == ')':
				return among(word, changes)
			case before.kind == 'w' && is(before.text, "FOR") && among(word, locks) != "":
				return "SELECT FOR UPDATE"
			case s.depth == into && is(word, "INTO"):
				return "SELECT INTO"
			}
			return ""
		})
	}
	return ""
}

// scanner finds the words of SQL outside of strings, quoted names and comments.
type scanner struct {
	rest  []byte
	depth int // of parentheses
}

// token is a word ('w'), a string of any sort ('\”), a quoted name ('"'), a number
// ('0'), a parameter ('$'), a parenthesis, a semicolon, or any other byte ('x').
type token struct {
	kind   byte
	spaced bool // something was skipped in front of it
	text   []byte
}

// start finds the first word of the next statement.
func (s *scanner) start() ([]byte, bool) {
	s.depth = 0
	for {
		t, ok := s.next()
		if !ok || t.kind == 'w' {
			return t.text, ok
		}
	}
}

// skip goes to the statement's end.
func (s *scanner) skip() { s.find(func(token, []byte) string { return "" }) }

// find asks f about each word up to the statement's end, with what stands in
// front of it, until f answers.
func (s *scanner) find(f func(before token, word []byte) string) string {
	before := token{kind: 'w'}
	for {
		saved := s.rest
		t, ok := s.next()
		if !ok {
			return ""
		}
		if t.kind == ';' {
			s.rest = saved
			return ""
		}
		if t.kind == 'w' {
			if found := f(before, t.text); found != "" {
				return found
			}
		}
		before = t
	}
}

// next takes a token. One that has no end reaches to the end of the text.
func (s *scanner) next() (t token, ok bool) {
	for len(s.rest) > 0 {
		b := s.rest
		c := b[0]
		switch {
		case c <= ' ':
			s.rest = b[1:]
		case c == '-' && len(b) > 1 && b[1] == '-':
			s.to(b, bytes.IndexByte(b, '\n'), 1)
		case c == '/' && len(b) > 1 && b[1] == '*':
			s.comment()
		default:
			t.kind = s.take(b)
			t.text = b[:len(b)-len(s.rest)]
			return t, true
		}
		t.spaced = true
	}
	return t, false
}

// take moves behind the token that b begins with, and tells its kind.
func (s *scanner) take(b []byte) (kind byte) {
	switch c := b[0]; {
	case wordStart(c):
		if n := prefix(b); n > 0 {
			s.rest = b[n:]
			s.quoted('\'', c|0x20 == 'e')
			return '\''
		}
		s.rest = b[word(b):]
		return 'w'
	case c == '\'' || c == '"':
		s.quoted(c, false)
		return c
	case digit(c) || c == '.' && len(b) > 1 && digit(b[1]):
		s.rest = b[number(b):]
		return '0'
	case c == '$' && len(b) > 1 && digit(b[1]):
		n := 2
		for n < len(b) && digit(b[n]) {
			n++
		}
		s.rest = b[n:]
		return '$'
	case c == '$' && s.dollar():
		return '\''
	default:
		s.rest = b[1:]
		switch c {
		case '(':
			s.depth++
		case ')':
			s.depth--
		case ';':
		default:
			return 'x'
		}
		return c
	}
}

// prefix is the length of what makes the string that follows a special one: E, B,
// X, N or U&.
func prefix(b []byte) int {
	n := 1
	switch b[0] | 0x20 {
	case 'e', 'b', 'x', 'n':
	case 'u':
		if len(b) < 2 || b[1] != '&' {
			return 0
		}
		n = 2
	default:
		return 0
	}
	if n == len(b) || b[n] != '\'' {
		return 0
	}
	return n
}

func word(b []byte) int {
	n := 1
	for n < len(b) && (wordStart(b[n]) || digit(b[n]) || b[n] == '$') {
		n++
	}
	return n
}

// number is the length of a number of any sort, with what is stuck to it.
func number(b []byte) int {
	n := 1
	for n < len(b) && (digit(b[n]) || wordStart(b[n]) || b[n] == '.' || (b[n] == '+' || b[n] == '-') && b[n-1]|0x20 == 'e') {
		n++
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// to goes on behind n bytes at i, or to the end if there is no such place.
func (s *scanner) to(b []byte, i, n int) {
	if i < 0 {
		s.rest = nil
		return
	}
	s.rest = b[i+n:]
}

// comment skips a comment, in which others may be nested.
func (s *scanner) comment() {
	depth := 0
	for b := s.rest; len(b) > 1; {
		switch {
		case b[0] == '/' && b[1] == '*':
			depth++
			b = b[2:]
		case b[0] == '*' && b[1] == '/':
			b = b[2:]
			if depth--; depth == 0 {
				s.rest = b
				return
			}
		default:
			b = b[1:]
		}
	}
	s.rest = nil
}

// quoted skips a string or a name, in which the quote may stand doubled. A string
// goes on in the next line, where one begins there, in the way in which it began.
func (s *scanner) quoted(quote byte, escapes bool) {
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '\\' && escapes:
			i++
		case c != quote:
		case i+1 < len(s.rest) && s.rest[i+1] == quote:
			i++
		default:
			s.rest = s.rest[i+1:]
			next := bytes.TrimLeft(s.rest, " \t\n\r\f\v")
			if quote == '\'' && len(next) > 0 && next[0] == quote && bytes.ContainsAny(s.rest[:len(s.rest)-len(next)], "\n\r") {
				s.rest = next
				s.quoted(quote, escapes)
			}
			return
		}
	}
	s.rest = nil
}

// dollar skips a string between $tag$ and $tag$, if there is one.
func (s *scanner) dollar() bool {
	b := s.rest
	n := 1
	for n < len(b) && (wordStart(b[n]) || n > 1 && digit(b[n])) {
		n++
	}
	if n == len(b) || b[n] != '$' {
		return false
	}
	tag := b[:n+1]
	s.to(b[n+1:], bytes.Index(b[n+1:], tag), len(tag))
	return true
}

// is compares with a word in capital letters.
func is(word []byte, upper string) bool {
	if len(word) != len(upper) {
		return false
	}
	for i, c := range word {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}
