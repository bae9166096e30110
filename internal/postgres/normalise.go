package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// normalise takes the literals that are left out of a statement, each becoming
// the next $n, and its comments, where frameworks put identifiers of requests.
// White space becomes single spaces. Numbers that are no values stay: those that
// name a column of the result, as in ORDER BY 1, and a type's, as in
// ::numeric(10,2).
func normalise(sql string) string {
	n := normaliser{next: 1}
	tokens := lex(sql)
	for _, t := range tokens {
		if t.kind == parameter {
			if i, err := strconv.Atoi(t.text[1:]); err == nil && i < 1<<16 {
				n.next = max(n.next, i+1)
			}
		}
	}
	for i, t := range tokens {
		n.add(t, tokens[:i])
	}
	return n.out.String()
}

type tokenKind int

const (
	word      tokenKind = iota // a keyword or a name, quoted or not
	text                       // 'a', E'a', $$a$$
	number                     // 1, 1.5e3, 0xff
	parameter                  // $1
	symbol                     // one byte of anything else
)

type token struct {
	kind   tokenKind
	text   string
	spaced bool // white space or a comment stood before it
}

type normaliser struct {
	out  strings.Builder
	next int // $n of the next literal
	// by are the depths of parentheses at which an ORDER BY or GROUP BY is going on.
	by    []int
	depth int
	// typed is set from :: on while what follows is a type.
	typed      bool
	typedDepth int
}

// endsList are the words at which the list of an ORDER BY or GROUP BY ends.
var endsList = []string{"LIMIT", "OFFSET", "HAVING", "WINDOW", "UNION", "INTERSECT", "EXCEPT", "FETCH", "FOR", "ORDER", "ROWS", "RANGE", "GROUPS", "RETURNING", "ON"}

func (n *normaliser) add(t token, before []token) {
	previous := token{kind: symbol}
	if len(before) > 0 {
		previous = before[len(before)-1]
	}
	if t.spaced && n.out.Len() > 0 {
		n.out.WriteByte(' ')
	}
	keep := t.kind == number && (n.position(previous) || n.typed && n.depth > n.typedDepth)
	n.follow(t, before)
	if t.kind == text || t.kind == number && !keep {
		fmt.Fprintf(&n.out, "$%d", n.next)
		n.next++
		return
	}
	n.out.WriteString(t.text)
}

// position reports whether a number behind a token names a column of the result.
func (n *normaliser) position(previous token) bool {
	if len(n.by) == 0 || n.by[len(n.by)-1] != n.depth {
		return false
	}
	return previous.text == "," || previous.kind == word && strings.EqualFold(previous.text, "BY")
}

// follow keeps track of where in the statement we are.
func (n *normaliser) follow(t token, before []token) {
	upper := strings.ToUpper(t.text)
	if n.typed && n.depth == n.typedDepth {
		n.typed = ofType(t, upper, before[len(before)-1])
	}
	switch {
	case t.kind == word && upper == "BY":
		n.by = append(n.by, n.depth)
	case t.kind == word && slices.Contains(endsList, upper) && len(n.by) > 0 && n.by[len(n.by)-1] == n.depth:
		n.by = n.by[:len(n.by)-1]
	case t.text == "(" && t.kind == symbol:
		n.depth++
	case t.text == ")" && t.kind == symbol:
		for len(n.by) > 0 && n.by[len(n.by)-1] >= n.depth {
			n.by = n.by[:len(n.by)-1]
		}
		n.depth--
		if n.typed && n.depth <= n.typedDepth {
			n.typed = false
		}
	case t.text == ":" && len(before) > 0 && before[len(before)-1].text == ":":
		n.typed, n.typedDepth = true, n.depth
	}
}

// ofType reports whether a token goes on with the type that a :: began: "numeric",
// "pg_catalog.numeric", "timestamp(3) with time zone".
func ofType(t token, upper string, previous token) bool {
	switch {
	case t.kind == word:
		return previous.text == ":" || previous.text == "." || slices.Contains([]string{"VARYING", "PRECISION", "WITH", "WITHOUT", "TIME", "ZONE"}, upper)
	case t.text == "(":
		return previous.kind == word
	}
	return t.text == "."
}

// lex cuts a statement into tokens. An unfinished text, which pg_stat_statements
// leaves where it cuts a statement short, goes to the end.
func lex(sql string) []token {
	var out []token
	spaced := false
	for i := 0; i < len(sql); {
		kind, n := next(sql[i:])
		if n < 0 { // white space or a comment
			spaced = true
			i -= n
			continue
		}
		out = append(out, token{kind, sql[i : i+n], spaced})
		spaced = false
		i += n
	}
	return out
}

// next is the first token's kind and length; the length is negative for what is
// no token.
func next(s string) (kind tokenKind, n int) {
	c := s[0]
	switch {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		return symbol, -1
	case strings.HasPrefix(s, "--"):
		return symbol, -until(s, 2, "\n")
	case strings.HasPrefix(s, "/*"):
		return symbol, -comment(s)
	case c == '\'':
		return text, quotedEnd(s, 0, false)
	case c == '"':
		return word, quotedEnd(s, 0, false)
	case c == '$':
		return dollar(s)
	case '0' <= c && c <= '9', c == '.' && len(s) > 1 && '0' <= s[1] && s[1] <= '9':
		return number, numberEnd(s)
	case letter(c):
		n := 1
		for n < len(s) && (letter(s[n]) || '0' <= s[n] && s[n] <= '9' || s[n] == '$') {
			n++
		}
		if n < len(s) && s[n] == '\'' && strings.Contains(" e b x n ", " "+strings.ToLower(s[:n])+" ") {
			return text, quotedEnd(s, n, c == 'e' || c == 'E')
		}
		if n == 1 && (c == 'u' || c == 'U') && strings.HasPrefix(s[1:], "&'") {
			return text, quotedEnd(s, 2, false)
		}
		return word, n
	}
	return symbol, 1
}

// quotedEnd is where what is quoted from s[from] on ends. A quote is written twice
// in it, or behind a backslash.
func quotedEnd(s string, from int, backslash bool) int {
	quote := s[from]
	for i := from + 1; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

func until(s string, from int, end string) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

// comment is where a comment ends; comments nest.
func comment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); {
		switch s[i : i+2] {
		case "/*":
			depth++
			i += 2
		case "*/":
			depth--
			i += 2
		default:
			i++
		}
		if depth == 0 {
			return i
		}
	}
	return len(s)
}

// dollar is a parameter, a text quoted with dollars, or a lone dollar.
func dollar(s string) (tokenKind, int) {
	n := 1
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	if n > 1 {
		return parameter, n
	}
	for n < len(s) && (letter(s[n]) || n > 1 && '0' <= s[n] && s[n] <= '9') {
		n++
	}
	if n < len(s) && s[n] == '$' {
		return text, until(s, n+1, s[:n+1])
	}
	return symbol, 1
}

func numberEnd(s string) int {
	n := 1
	for n < len(s) {
		c := s[n]
		exponent := (c == '+' || c == '-') && (s[n-1] == 'e' || s[n-1] == 'E') && !strings.HasPrefix(strings.ToLower(s), "0x")
		if !exponent && c != '.' && c != '_' && !letter(c) && (c < '0' || c > '9') {
			break
		}
		n++
	}
	return n
}

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}
