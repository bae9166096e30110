package postgres

// Statement is a statement in the form in which it can be shown and grouped: what
// stands in it for one execution only is gone.
type Statement struct {
	// Text is OpenTelemetry's db.query.text: literals are replaced by ?, comments
	// dropped, white space folded. Parameters stay. Of a list behind IN or ARRAY
	// the first element stays, and of the rows of VALUES that read the same the
	// first.
	Text string
	// Operation is db.operation.name: "SELECT", "CREATE TABLE".
	Operation string
	// Collection is db.collection.name: the table, where there is one only.
	Collection string
	// Summary is db.query.summary, at most 255 bytes: operations with their
	// tables, "INSERT parcels SELECT orders".
	Summary string
}

// Normal brings SQL into that form. Strings are read as the standard has them,
// without backslashes, which is PostgreSQL's default; what has no end, as in a
// text that was cut off, counts as a literal. No literal is in the result.
func Normal(sql string) Statement {
	n := normal{text: make([]byte, 0, len(sql)+8), values: -1}
	m := summary{text: make([]byte, 0, 48)}
	s := scanner{rest: []byte(sql)}
	for {
		t, ok := s.next()
		if !ok {
			break
		}
		word := ""
		if t.kind == 'w' {
			word = keyword(t.text)
		}
		n.add(&t, word)
		m.add(&t, word)
	}
	return m.statement(string(n.text))
}

// normal writes the text.
type normal struct {
	text   []byte
	before byte // the last token's first byte
	folds  bool // it was a word with a list behind it
	ended  bool // by a semicolon
	sign   int  // where one begins that may belong to a number; 0: nowhere
	lists  [16]list
	depth  int // of lists

	// The rows of VALUES stand at a depth, -1 where there is none.
	values             int
	row                int // where the row at hand begins
	lastRow, lastRowTo int // the row before; 0 for none
}

// list is what stands between brackets.
type list struct {
	folds bool // behind IN or ARRAY
	plain bool // it has only literals and parameters so far
	first int  // where the first of them ends
}

func (n *normal) add(t *token, word string) {
	if t.kind == ';' {
		n.ended = len(n.text) > 0
		n.values = -1
		return
	}
	if n.ended {
		n.text = append(n.text, ';')
		n.ended, t.spaced = false, true
	}
	open, shut := t.is('(', '['), t.is(')', ']')
	if t.spaced && len(n.text) > 0 && !shut && t.text[0] != ',' && n.before != '(' && n.before != '[' {
		n.text = append(n.text, ' ')
	}
	if n.values == n.depth && !open && t.text[0] != ',' {
		n.values = -1
	}
	if shut {
		n.shut()
	}
	sign := 0
	switch {
	case t.literal():
		if n.sign > 0 && t.kind == '0' && !t.spaced {
			n.text = n.text[:n.sign-1]
		} else {
			n.spoil()
		}
		n.text = append(n.text, '?')
		n.element()
	case t.kind == '$':
		n.spoil()
		n.text = append(n.text, t.text...)
		n.element()
	case (t.text[0] == '-' || t.text[0] == '+') && n.takesSign():
		n.text = append(n.text, t.text...)
		sign = len(n.text)
	default:
		n.spoil()
		if t.text[0] != ',' && !open && !shut {
			n.top().plain = false
		}
		n.text = append(n.text, t.text...)
	}
	n.sign = sign
	if shut {
		n.shutRow()
	}
	if open {
		n.open()
	}
	if word == "VALUES" {
		n.values, n.lastRow = n.depth, 0
	}
	n.before, n.folds = t.text[0], word == "IN" || word == "ARRAY"
}

// is reports whether the token is one of two bytes.
func (t *token) is(a, b byte) bool { return len(t.text) == 1 && (t.text[0] == a || t.text[0] == b) }

// literal reports whether the token is a value, or has no end.
func (t *token) literal() bool {
	return t.kind == '\'' || t.kind == '0' || t.kind == '"' && (len(t.text) < 2 || t.text[len(t.text)-1] != '"')
}

// takesSign reports whether a sign may belong to the number behind it.
func (n *normal) takesSign() bool {
	switch n.before {
	case '(', '[', ',', '=', '<', '>', '+', '-', '*', '/', '%', '^', '|', '&', '#', '~', '!', '@', ':':
		return true
	}
	return false
}

// spoil settles that a sign did not belong to a number.
func (n *normal) spoil() {
	if n.sign > 0 {
		n.top().plain = false
	}
}

func (n *normal) top() *list { return &n.lists[min(n.depth, len(n.lists)-1)] }

// element notes a literal or a parameter of a list.
func (n *normal) element() {
	if l := n.top(); l.first == 0 {
		l.first = len(n.text)
	}
}

func (n *normal) open() {
	if n.values == n.depth {
		n.row = len(n.text) - 1
	}
	n.top().plain = false
	n.depth++
	*n.top() = list{folds: n.folds && n.depth < len(n.lists)-1, plain: true}
}

// shut ends a list in front of its bracket.
func (n *normal) shut() {
	if l := n.top(); n.depth > 0 && l.folds && l.plain && l.first > 0 && n.sign == 0 {
		n.text = n.text[:l.first]
	}
	n.depth = max(0, n.depth-1)
}

// shutRow ends a row of VALUES behind its bracket, and takes it back if it reads
// as the one before.
func (n *normal) shutRow() {
	if n.values != n.depth {
		return
	}
	if n.lastRow > 0 && sameRow(n.text[n.lastRow:n.lastRowTo], n.text[n.row:]) {
		n.text = n.text[:n.lastRowTo]
		return
	}
	n.lastRow, n.lastRowTo = n.row, len(n.text)
}

// sameRow compares but for the numbers of parameters.
func sameRow(a, b []byte) bool {
	for {
		if len(a) == 0 || len(b) == 0 {
			return len(a) == len(b)
		}
		if a[0] != b[0] {
			return false
		}
		parameter := a[0] == '$'
		a, b = a[1:], b[1:]
		if parameter {
			a, b = digits(a), digits(b)
		}
	}
}

// digits skips them.
func digits(b []byte) []byte {
	for len(b) > 0 && digit(b[0]) {
		b = b[1:]
	}
	return b
}
