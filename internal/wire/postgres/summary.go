package postgres

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxSummary is the most of a summary in bytes, by OpenTelemetry's conventions.
const maxSummary = 255

// summary finds operations and tables in the words of SQL.
type summary struct {
	text      []byte
	full      bool
	operation string

	table []byte // the first one
	many  bool   // there is another one

	part   part
	main   bool  // the operation is yet to come, behind WITH
	before byte  // the kind of the last token
	after  after // what that was, if it was a keyword
	levels [16]level
	depth  int

	// A name that comes or is there in part.
	expected target
	name     target
	at       int  // where it begins in text
	dotted   bool // a part of it is to come

	defines bool      // the next name is one that WITH gives
	given   [8][]byte // such names
	giving  int
}

// part is where in a statement we are.
type part int

const (
	partStart part = iota
	partQuery      // more operations may follow
	partKind       // what is created, altered or dropped
	partRest       // nothing more of interest
)

// target is what a name stands for.
type target int

const (
	noTarget      target = iota
	aTable               // perhaps with columns behind it
	aSource              // a table, or a function if there are parentheses behind it
	somethingElse        // no table
)

// after is what the last word lets follow.
type after int8

const (
	afterAny      after = iota
	afterAs             // an operation
	afterDistinct       // FROM that is no list
)

func afterOf(word string) after {
	switch word {
	case "AS", "EXPLAIN", "ANALYZE", "VERBOSE":
		return afterAs
	case "DISTINCT":
		return afterDistinct
	}
	return afterAny
}

// level is what is between parentheses.
type level struct {
	operation string
	from      bool // in the list of what is read
	with      bool // in the list of what WITH gives
}

func (m *summary) add(t *token, word string) {
	if !m.addToName(t, word) {
		m.addWord(t, word)
	}
	m.before, m.after = t.kind, afterOf(word)
}

// addToName takes a token that is a part of a name.
func (m *summary) addToName(t *token, word string) bool {
	name := t.kind == 'w' || t.kind == '"' && !t.literal()
	switch {
	case m.name != noTarget && m.dotted && name:
		m.dotted = false
		m.put(t.text, "")
		return true
	case m.name != noTarget && !m.dotted && t.is('.', '.'):
		m.dotted = true
		m.put(t.text, "")
		return true
	case m.name != noTarget:
		m.named(t)
	}
	switch {
	case m.defines && name && word != "RECURSIVE":
		m.defines = false
		if m.giving < len(m.given) {
			m.given[m.giving] = t.text
			m.giving++
		}
		return true
	case m.expected == noTarget:
		return false
	}
	switch word {
	case "ONLY", "LATERAL", "TABLE", "IF", "NOT", "EXISTS", "CONCURRENTLY", "ON":
		return true
	}
	expected := m.expected
	m.expected = noTarget
	if !name {
		return false
	}
	m.at = len(m.text)
	m.put(t.text, " ")
	if !m.full {
		m.name, m.dotted = expected, false
	}
	return true
}

// named ends a name in front of a token.
func (m *summary) named(t *token) {
	name := bytes.TrimPrefix(m.text[m.at:], []byte(" "))
	kind := m.name
	m.name = noTarget
	given := false
	for _, g := range m.given[:m.giving] {
		given = given || bytes.Equal(g, name)
	}
	switch {
	case given || m.dotted || kind == aSource && t.kind == '(':
		m.text = m.text[:m.at]
	case kind == somethingElse:
	case m.table == nil:
		m.table = name
	case !bytes.Equal(m.table, name):
		m.many = true
	}
}

// addWord takes any other token.
func (m *summary) addWord(t *token, word string) {
	l := m.level()
	switch {
	case t.kind == '(':
		m.depth++
		*m.level() = level{}
	case t.kind == ')':
		m.depth = max(0, m.depth-1)
	case t.kind == ';':
		m.part, m.depth, m.levels[0], m.giving, m.defines = partStart, 0, level{}, 0, false
	case t.kind == 'x' && t.text[0] == ',':
		m.defines = l.with
		if l.from {
			m.expected = aSource
		}
	case t.kind != 'w':
	case m.part == partStart:
		m.begin(t, word)
	case m.part == partKind:
		m.kind(t, word)
	case m.part == partQuery:
		m.query(word)
	}
}

func (m *summary) level() *level { return &m.levels[min(m.depth, len(m.levels)-1)] }

// begin takes a statement's first word.
func (m *summary) begin(t *token, word string) {
	m.part = partRest
	switch word {
	case "WITH":
		m.part, m.main = partQuery, m.operation == ""
		m.level().with, m.defines = true, true
		return
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE":
		m.part = partQuery
		m.start(word)
		return
	case "EXPLAIN", "DECLARE", "PREPARE", "VALUES":
		m.part = partQuery
	case "COPY":
		m.part, m.expected = partQuery, aTable
	case "TABLE", "TRUNCATE", "LOCK":
		m.expected = aTable
	case "CALL", "EXECUTE":
		m.expected = somethingElse
	case "CREATE", "ALTER", "DROP", "REFRESH":
		m.part = partKind
	case "":
		word = strings.ToUpper(string(t.text))
	}
	m.operate(word)
}

// operate writes an operation. The first is the whole text's, but behind WITH the
// one that all is for.
func (m *summary) operate(word string) {
	separator := " "
	if m.before == ';' {
		separator = "; "
	}
	m.put([]byte(word), separator)
	if m.operation == "" && (!m.main || m.depth == 0) {
		m.operation, m.main = word, false
	}
}

// start begins an operation of a level.
func (m *summary) start(word string) {
	*m.level() = level{operation: word}
	if word == "UPDATE" {
		m.expected = aTable
	}
	m.operate(word)
}

// kind takes the words behind CREATE and its like up to what kind of thing it is.
func (m *summary) kind(t *token, word string) {
	switch word {
	case "OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "UNIQUE", "MATERIALIZED", "FOREIGN", "EVENT", "RECURSIVE":
		return
	}
	m.part, m.expected = partRest, somethingElse
	if word == "TABLE" {
		m.expected = aTable
	}
	kind := strings.ToUpper(string(t.text))
	if string(m.text) == m.operation {
		m.operation += " " + kind
	}
	m.put([]byte(kind), " ")
}

// query takes a keyword in the middle of a query.
func (m *summary) query(word string) {
	l := m.level()
	switch word {
	case "SELECT":
		m.start(word)
	case "INSERT", "UPDATE", "DELETE", "MERGE":
		switch {
		case m.before == '(' || m.before == ')' || l.operation == "" && m.after == afterAs:
			m.start(word)
		}
	case "WITH":
		if l.operation == "" {
			l.with, m.defines = true, true
		}
	case "FROM":
		if (l.operation == "SELECT" || l.operation == "DELETE" || l.operation == "UPDATE") && m.after != afterDistinct {
			l.from, m.expected = true, aSource
		}
	case "JOIN":
		if l.from {
			m.expected = aSource
		}
	case "USING":
		if l.operation == "DELETE" || l.operation == "MERGE" {
			l.from, m.expected = true, aSource
		}
	case "INTO":
		if l.operation == "INSERT" || l.operation == "MERGE" || l.operation == "SELECT" {
			m.expected = aTable
		}
	case "WHERE", "SET", "GROUP", "ORDER", "LIMIT", "HAVING", "WINDOW", "OFFSET", "FETCH", "FOR", "RETURNING", "VALUES", "UNION", "EXCEPT", "INTERSECT":
		l.from = false
	}
}

// put writes a word, unless there is no room for all of it.
func (m *summary) put(word []byte, separator string) {
	if len(m.text) == 0 {
		separator = ""
	}
	if m.full || len(m.text)+len(separator)+len(word) > maxSummary {
		m.full = true
		if m.name != noTarget {
			m.text, m.name = m.text[:m.at], noTarget
		}
		return
	}
	m.text = append(append(m.text, separator...), word...)
}

// statement is the result.
func (m *summary) statement(text string) Statement {
	if m.name != noTarget {
		m.named(&token{})
	}
	s := Statement{Text: valid(text, "\ufffd"), Operation: m.operation, Summary: valid(string(m.text), "")}
	if m.table != nil && !m.many {
		s.Collection = valid(string(m.table), "")
	}
	return s
}

// valid is UTF-8, whatever the client's character set is.
func valid(s, replacement string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, replacement)
}

// keyword is a word in capital letters, if it is one that matters here.
func keyword(word []byte) string {
	letter := word[0]&^0x20 - 'A'
	if int(letter) >= len(keywords) {
		return ""
	}
	for _, k := range keywords[letter] {
		if is(word, k) {
			return k
		}
	}
	return ""
}

// keywords are the words that matter, by their first letters.
var keywords = [...][]string{
	{"ALTER", "ANALYZE", "ARRAY", "AS"},
	'C' - 'A': {"CALL", "CONCURRENTLY", "COPY", "CREATE"},
	'D' - 'A': {"DECLARE", "DELETE", "DISTINCT", "DROP"},
	'E' - 'A': {"EVENT", "EXCEPT", "EXECUTE", "EXISTS", "EXPLAIN"},
	'F' - 'A': {"FETCH", "FOR", "FOREIGN", "FROM"},
	'G' - 'A': {"GLOBAL", "GROUP"},
	'H' - 'A': {"HAVING"},
	'I' - 'A': {"IF", "IN", "INSERT", "INTERSECT", "INTO"},
	'J' - 'A': {"JOIN"},
	'L' - 'A': {"LATERAL", "LIMIT", "LOCAL", "LOCK"},
	'M' - 'A': {"MATERIALIZED", "MERGE"},
	'N' - 'A': {"NOT"},
	'O' - 'A': {"OFFSET", "ON", "ONLY", "OR", "ORDER"},
	'P' - 'A': {"PREPARE"},
	'R' - 'A': {"RECURSIVE", "REFRESH", "REPLACE", "RETURNING"},
	'S' - 'A': {"SELECT", "SET"},
	'T' - 'A': {"TABLE", "TEMP", "TEMPORARY", "TRUNCATE"},
	'U' - 'A': {"UNION", "UNIQUE", "UNLOGGED", "UPDATE", "USING"},
	'V' - 'A': {"VALUES", "VERBOSE"},
	'W' - 'A': {"WHERE", "WINDOW", "WITH"},
}
