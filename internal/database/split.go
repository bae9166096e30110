package database

import (
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// split takes a file of SQL apart into its statements, as psql does: each is sent
// alone, because what is sent together is one transaction, in which no index can be
// built CONCURRENTLY. Comments between statements are left out.
func split(text string) ([]string, error) {
	var out []string
	s := scanner{text: text}
	for {
		s.skip()
		if s.at == len(s.text) {
			return out, nil
		}
		if s.text[s.at] == '\\' {
			line, _, _ := strings.Cut(s.text[s.at:], "\n")
			return nil, &rehearse.Error{
				Kind: rehearse.Invalid, Line: 1 + strings.Count(s.text[:s.at], "\n"),
				Msg:  "this is a command of psql and not SQL: " + strings.TrimSpace(line),
				Hint: "Write migrations in plain SQL, or run your migration tool as a service of its own.",
			}
		}
		start := s.at
		s.statement()
		if sql := strings.TrimRight(s.text[start:s.at], " \t\r\n\f\v"); sql != "" {
			out = append(out, sql)
		}
		if s.at < len(s.text) {
			s.at++ // the semicolon
		}
	}
}

// scanner moves over SQL.
type scanner struct {
	text string
	at   int
}

// skip moves to the beginning of the next statement.
func (s *scanner) skip() {
	for s.at < len(s.text) && (space(s.text[s.at]) || s.text[s.at] == ';' || s.comment()) {
		s.at++
	}
}

// statement moves to the semicolon that ends a statement, or to the end. A body
// in BEGIN ATOMIC … END has semicolons of its own.
func (s *scanner) statement() {
	parentheses, atomic, first, previous := 0, 0, "", ""
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case s.comment():
		case c == '\'':
			s.quoted('\'', strings.EqualFold(previous, "e") && s.at > 0 && letter(s.text[s.at-1]))
		case c == '"':
			s.quoted('"', false)
		case c == '$' && s.dollar():
		case letter(c):
			word := s.word()
			if first == "" {
				first = word
			}
			switch {
			case !strings.EqualFold(first, "create"):
			case strings.EqualFold(word, "atomic") && strings.EqualFold(previous, "begin"):
				atomic++
			case atomic > 0 && strings.EqualFold(word, "case"):
				atomic++
			case atomic > 0 && strings.EqualFold(word, "end"):
				atomic--
			}
			previous = word
			continue // word has moved beyond
		case c == '(':
			parentheses++
		case c == ')':
			parentheses--
		case c == ';' && parentheses <= 0 && atomic == 0:
			return
		}
		s.at++
	}
	s.at = len(s.text)
}

// comment moves to the last byte of the comment that begins here; false: none does.
func (s *scanner) comment() bool {
	rest := s.text[s.at:]
	switch {
	case strings.HasPrefix(rest, "--"):
		n := strings.IndexByte(rest, '\n')
		if n < 0 {
			n = len(rest) - 1
		}
		s.at += n
		return true
	case strings.HasPrefix(rest, "/*"):
		depth := 0
		for i := 0; i < len(rest); i++ {
			switch {
			case strings.HasPrefix(rest[i:], "/*"):
				depth++
				i++
			case strings.HasPrefix(rest[i:], "*/"):
				depth--
				i++
				if depth == 0 {
					s.at += i
					return true
				}
			}
		}
		s.at = len(s.text) - 1
		return true
	}
	return false
}

// quoted moves to the quote that ends what begins here. A doubled quote ends and
// begins again, which comes to the same.
func (s *scanner) quoted(quote byte, escapes bool) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '\\' && escapes:
			s.at++
		case c == quote:
			return
		}
	}
}

// dollar moves to the last byte of the $tag$…$tag$ that begins here; false: none
// does, as in the parameter $1.
func (s *scanner) dollar() bool {
	rest := s.text[s.at:]
	n := 1
	for n < len(rest) && (letter(rest[n]) || n > 1 && digit(rest[n])) {
		n++
	}
	if n == len(rest) || rest[n] != '$' || s.at > 0 && (letter(s.text[s.at-1]) || digit(s.text[s.at-1])) {
		return false
	}
	tag := rest[:n+1]
	end := strings.Index(rest[len(tag):], tag)
	if end < 0 {
		s.at = len(s.text) - 1
		return true
	}
	s.at += 2*len(tag) + end - 1
	return true
}

// word moves beyond the word that begins here.
func (s *scanner) word() string {
	start := s.at
	for s.at < len(s.text) && (letter(s.text[s.at]) || digit(s.text[s.at])) {
		s.at++
	}
	return s.text[start:s.at]
}

func space(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func digit(c byte) bool { return c >= '0' && c <= '9' }

// letter is true for what a name begins with; all of other alphabets counts.
func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
