package schema

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Restriction is what an expression says about one column: a value that breaks it
// makes the expression false, whatever the other columns hold. The zero value says
// nothing. NULL breaks it only where NotNull is set.
type Restriction struct {
	Column  string
	NotNull bool

	// Min and Max bound numbers, dates and times; nil: no bound.
	Min, Max                   *Value
	MinExclusive, MaxExclusive bool
	// In are the only values, if it is not nil, and NotIn those that are not
	// allowed. Both are meant as the engine compares: see Fold and Pad.
	In, NotIn []Value
	// Fold: texts are compared whatever their case. Pad: without spaces at the end.
	Fold, Pad bool

	// MinLength and MaxLength are what length() and char_length() may give:
	// characters of texts, bytes of bytes. MinBytes and MaxBytes are for
	// octet_length(). A maximum of -1 is none.
	MinLength, MaxLength int
	MinBytes, MaxBytes   int

	// Match are regular expressions, in the syntax of package regexp, that match,
	// and NotMatch those that do not.
	Match, NotMatch []string
	// Lower, Upper and Trimmed: lower(), upper(), btrim() leave the text as it is.
	Lower, Upper, Trimmed bool

	// Past and Future: not later, or not earlier, than the time of the row's
	// insertion.
	Past, Future bool
	// Below are columns that this one is less than, and NotAbove those that it is
	// less than or equal to, where both have a value.
	Below, NotAbove []string
}

// Allows reports whether a value keeps the restriction, as far as the value alone
// can tell: Past, Future, Below and NotAbove are for the caller. A value that
// cannot be compared is not allowed.
func (r Restriction) Allows(v Value) bool {
	if v.IsNull() {
		return !r.NotNull
	}
	n := &node{text: "=", pad: r.Pad, fold: r.Fold}
	in := func(list []Value) bool {
		return slices.ContainsFunc(list, func(e Value) bool {
			is, err := n.compare(v, e)
			return err == nil && is.Int == 1
		})
	}
	if r.In != nil && !in(r.In) || in(r.NotIn) {
		return false
	}
	if r.Min != nil {
		if c, err := compare(v, *r.Min); err != nil || c < 0 || c == 0 && r.MinExclusive {
			return false
		}
	}
	if r.Max != nil {
		if c, err := compare(v, *r.Max); err != nil || c > 0 || c == 0 && r.MaxExclusive {
			return false
		}
	}
	s := v.String()
	if v.Kind == BytesValue {
		s = v.Text
	}
	length := utf8.RuneCountInString(s)
	if v.Kind == BytesValue {
		length = len(s)
	}
	if length < r.MinLength || r.MaxLength >= 0 && length > r.MaxLength || len(s) < r.MinBytes || r.MaxBytes >= 0 && len(s) > r.MaxBytes {
		return false
	}
	if r.Lower && s != strings.ToLower(s) || r.Upper && s != strings.ToUpper(s) || r.Trimmed && s != strings.Trim(s, " ") {
		return false
	}
	for _, re := range r.Match {
		if !regexp.MustCompile(re).MatchString(s) {
			return false
		}
	}
	for _, re := range r.NotMatch {
		if regexp.MustCompile(re).MatchString(s) {
			return false
		}
	}
	return true
}

// Narrow says what an expression demands of single columns, one Restriction for
// each column in the order of [Expr.Columns]. It looks at the terms of a
// conjunction one by one, and at "column IS NULL OR term". Everything that it says
// follows from the expression; it need not say everything that follows.
func Narrow(e *Expr) []Restriction {
	w := narrowing{}
	w.term(e.root)
	var out []Restriction
	for _, c := range e.columns {
		if r := w[c]; r != nil {
			out = append(out, *r)
		}
	}
	return out
}

// narrowing is what has been found, by column.
type narrowing map[string]*Restriction

func (w narrowing) of(column string) *Restriction {
	r := w[column]
	if r == nil {
		r = &Restriction{Column: column, MaxLength: -1, MaxBytes: -1}
		w[column] = r
	}
	return r
}

// column is the column that a node is, casts that keep its value apart.
func column(n *node) (string, bool) {
	for n.op == opCall && n.text == "::" && len(n.typ.args) == 0 && n.typ.arrays == 0 {
		switch n.typ.name {
		case "text", "varchar", "bpchar", "citext", "numeric", "float8":
		default:
			return "", false
		}
		n = n.args[0]
	}
	return n.text, n.op == opColumn
}

func (w narrowing) term(n *node) {
	switch n.op {
	case opAnd:
		for _, a := range n.args {
			w.term(a)
		}
	case opOr:
		w.or(n)
	case opNot:
		w.not(n.args[0])
	case opColumn:
		w.differs(n.text, n, []Value{BoolOf(false)})
	case opIsTrue, opIsFalse:
		if c, ok := column(n.args[0]); ok {
			w.of(c).NotNull = true
			if n.op == opIsTrue {
				w.differs(c, n, []Value{BoolOf(false)})
			} else {
				w.equals(c, n, ListOf(BoolOf(false)))
			}
		} else if n.op == opIsTrue {
			w.term(n.args[0])
		}
	case opAny:
		c, ok := column(n.args[0])
		if list := n.args[1]; ok && n.text == "=" && list.constant() {
			w.equals(c, n, list.val)
		}
	case opAll:
		c, ok := column(n.args[0])
		if list := n.args[1]; ok && n.text == "<>" && list.constant() {
			if l, err := toList(list.val); err == nil {
				w.differs(c, n, l.list)
			}
		}
	case opMatch:
		if c, ok := column(n.args[0]); ok {
			if n.not {
				w.of(c).NotMatch = append(w.of(c).NotMatch, n.pattern.source)
			} else {
				w.of(c).Match = append(w.of(c).Match, n.pattern.source)
			}
		}
	case opCompare:
		w.compared(n)
	}
}

// or looks at column IS NULL OR term of that column, and at column = a OR
// column = b.
func (w narrowing) or(n *node) {
	null := map[string]bool{}
	var rest []*node
	for _, a := range n.args {
		if c, ok := isNull(a); ok {
			null[c] = true
		} else {
			rest = append(rest, a)
		}
	}
	if len(rest) == 0 {
		return
	}
	var merged narrowing
	for i, a := range rest {
		one := narrowing{}
		one.term(a)
		if i == 0 {
			merged = one
			continue
		}
		for c, r := range merged {
			other := one[c]
			if other == nil || r.In == nil || other.In == nil || other.Fold != r.Fold || other.Pad != r.Pad {
				delete(merged, c)
				continue
			}
			in := append(slices.Clone(r.In), other.In...)
			notNull := r.NotNull && other.NotNull
			fold, pad := r.Fold, r.Pad
			*r = Restriction{Column: c, In: in, NotNull: notNull, Fold: fold, Pad: pad, MaxLength: -1, MaxBytes: -1}
		}
	}
	for c, r := range merged {
		switch {
		case len(null) == 0:
		case len(null) == 1 && null[c]:
			r.NotNull = false
		default:
			// What is left is an order, which speaks only of rows where both
			// columns have a value.
			r.keepOrder(null)
		}
	}
	for c, r := range merged {
		w.of(c).add(r)
	}
}

// keepOrder leaves the orders whose two columns are all that may be NULL.
func (r *Restriction) keepOrder(null map[string]bool) {
	strange := func(other string) bool {
		for c := range null {
			if c != r.Column && c != other {
				return true
			}
		}
		return false
	}
	*r = Restriction{Column: r.Column, MaxLength: -1, MaxBytes: -1,
		Below: slices.DeleteFunc(r.Below, strange), NotAbove: slices.DeleteFunc(r.NotAbove, strange)}
}

func isNull(n *node) (string, bool) {
	if n.op != opIsNull {
		return "", false
	}
	return column(n.args[0])
}

func (w narrowing) not(n *node) {
	switch n.op {
	case opIsNull:
		if c, ok := column(n.args[0]); ok {
			w.of(c).NotNull = true
		}
	case opColumn:
		w.equals(n.text, n, ListOf(BoolOf(false)))
	case opNot:
		w.term(n.args[0])
	case opOr: // NOT (a OR b) is NOT a AND NOT b
		for _, a := range n.args {
			w.not(a)
		}
	case opMatch:
		opposite := *n
		opposite.not = !n.not
		w.term(&opposite)
	case opAny:
		if n.text == "=" {
			opposite := *n
			opposite.op, opposite.text = opAll, "<>"
			w.term(&opposite)
		}
	case opCompare:
		opposite := *n
		opposite.text = map[string]string{"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}[n.text]
		w.term(&opposite)
	case opDistinct:
		if a, b := n.args[0], n.args[1]; b.constant() && !b.val.IsNull() {
			if c, ok := column(a); ok {
				w.of(c).NotNull = true
				w.equals(c, n, ListOf(b.val))
			}
		}
	}
}

var mirrored = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (w narrowing) compared(n *node) {
	left, right, op := n.args[0], n.args[1], n.text
	if left.constant() || left.op == opNow || left.op == opToday {
		left, right, op = right, left, mirrored[op]
	}
	c, ok := column(left)
	switch {
	case ok && right.constant():
		w.bound(c, n, op, right.val)
	case ok && (right.op == opNow || right.op == opToday):
		w.of(c).Past = w.of(c).Past || op == "<" || op == "<=" || op == "="
		w.of(c).Future = w.of(c).Future || op == ">" || op == ">=" || op == "="
	case ok:
		w.columns(c, op, right)
	case right.op == opColumn || right.op == opCall:
		if other, ok := column(right); ok {
			w.columns(other, mirrored[op], left)
		}
	}
	if left.op == opCall && right.constant() {
		w.ofCall(left, op, right.val)
	}
}

// columns is column op another expression.
func (w narrowing) columns(c, op string, right *node) {
	if other, ok := column(right); ok {
		switch op {
		case "<":
			w.of(c).Below = append(w.of(c).Below, other)
		case "<=":
			w.of(c).NotAbove = append(w.of(c).NotAbove, other)
		case ">":
			w.of(other).Below = append(w.of(other).Below, c)
		case ">=":
			w.of(other).NotAbove = append(w.of(other).NotAbove, c)
		}
		return
	}
	if op != "=" || right.op != opCall || len(right.args) != 1 {
		return
	}
	if same, ok := column(right.args[0]); ok && same == c {
		switch right.text {
		case "lower":
			w.of(c).Lower = true
		case "upper":
			w.of(c).Upper = true
		case "btrim":
			w.of(c).Trimmed = true
		}
	}
}

// bound is column op constant.
func (w narrowing) bound(c string, n *node, op string, v Value) {
	if v.IsNull() {
		return
	}
	switch op {
	case "=":
		w.equals(c, n, ListOf(v))
	case "<>":
		w.differs(c, n, []Value{v})
	default:
		switch v.Kind {
		case IntValue, DecimalValue, FloatValue, DateValue, TimeValue, ClockValue, IntervalValue:
			w.of(c).limit(op, v)
		}
	}
}

func (w narrowing) equals(c string, n *node, list Value) {
	l, err := toList(list)
	if err != nil || slices.ContainsFunc(l.list, Value.IsNull) {
		return
	}
	r := w.of(c)
	if r.In == nil && r.NotIn == nil {
		r.Fold, r.Pad = n.fold, n.pad
	} else if r.Fold != n.fold || r.Pad != n.pad {
		return
	}
	r.only(l.list)
}

func (w narrowing) differs(c string, n *node, list []Value) {
	r := w.of(c)
	if r.In == nil && r.NotIn == nil {
		r.Fold, r.Pad = n.fold, n.pad
	} else if r.Fold != n.fold || r.Pad != n.pad {
		return
	}
	for _, v := range list {
		if !v.IsNull() {
			r.NotIn = append(r.NotIn, v)
		}
	}
}

// ofCall is function(column) op constant.
func (w narrowing) ofCall(call *node, op string, v Value) {
	if len(call.args) != 1 || v.IsNull() {
		return
	}
	arg := call.args[0]
	trimmed := arg.op == opCall && len(arg.args) == 1 && strings.HasSuffix(arg.text, "trim")
	if trimmed { // what is left of a text is no longer than it
		arg = arg.args[0]
	}
	c, ok := column(arg)
	if !ok {
		return
	}
	switch call.text {
	case "length", "char_length", "character_length", "octet_length":
		if v.Kind != IntValue || v.Int < 0 || v.Int > 1<<30 {
			return
		}
		r, k := w.of(c), int(v.Int)
		low, high := &r.MinLength, &r.MaxLength
		if call.text == "octet_length" {
			low, high = &r.MinBytes, &r.MaxBytes
		}
		none := -1
		if trimmed {
			high = &none
		}
		switch op {
		case ">":
			*low = max(*low, k+1)
		case ">=":
			*low = max(*low, k)
		case "<":
			*high = lesser(*high, max(k-1, 0))
		case "<=":
			*high = lesser(*high, k)
		case "=":
			*low, *high = max(*low, k), lesser(*high, k)
		case "<>":
			if k == 0 {
				*low = max(*low, 1)
			}
		}
	case "btrim", "ltrim", "rtrim":
		if op == "<>" && v.Kind == TextValue && v.Text == "" {
			w.of(c).Match = append(w.of(c).Match, "[^ ]")
			w.of(c).MinLength = max(w.of(c).MinLength, 1)
		}
	}
}

func lesser(have, k int) int {
	if have < 0 {
		return k
	}
	return min(have, k)
}

// limit is column op v.
func (r *Restriction) limit(op string, v Value) {
	exclusive := op == "<" || op == ">"
	if op == ">" || op == ">=" {
		if r.Min != nil {
			if c, err := compare(v, *r.Min); err != nil || c < 0 || c == 0 && r.MinExclusive {
				return
			}
		}
		r.Min, r.MinExclusive = &v, exclusive
		return
	}
	if r.Max != nil {
		if c, err := compare(v, *r.Max); err != nil || c > 0 || c == 0 && r.MaxExclusive {
			return
		}
	}
	r.Max, r.MaxExclusive = &v, exclusive
}

// only leaves the values of In that are in the list, too.
func (r *Restriction) only(list []Value) {
	if r.In == nil {
		r.In = append([]Value{}, list...)
		return
	}
	n := &node{text: "=", pad: r.Pad, fold: r.Fold}
	r.In = slices.DeleteFunc(r.In, func(have Value) bool {
		return !slices.ContainsFunc(list, func(v Value) bool {
			is, err := n.compare(have, v)
			return err == nil && is.Int == 1
		})
	})
}

// add makes r say what other says, too.
func (r *Restriction) add(other *Restriction) {
	r.NotNull = r.NotNull || other.NotNull
	if other.Min != nil {
		r.limit(map[bool]string{true: ">", false: ">="}[other.MinExclusive], *other.Min)
	}
	if other.Max != nil {
		r.limit(map[bool]string{true: "<", false: "<="}[other.MaxExclusive], *other.Max)
	}
	if other.In != nil || other.NotIn != nil {
		if r.In == nil && r.NotIn == nil {
			r.Fold, r.Pad = other.Fold, other.Pad
		}
		if r.Fold == other.Fold && r.Pad == other.Pad {
			if other.In != nil {
				r.only(other.In)
			}
			r.NotIn = append(r.NotIn, other.NotIn...)
		}
	}
	r.MinLength, r.MinBytes = max(r.MinLength, other.MinLength), max(r.MinBytes, other.MinBytes)
	if other.MaxLength >= 0 {
		r.MaxLength = lesser(r.MaxLength, other.MaxLength)
	}
	if other.MaxBytes >= 0 {
		r.MaxBytes = lesser(r.MaxBytes, other.MaxBytes)
	}
	r.Match, r.NotMatch = append(r.Match, other.Match...), append(r.NotMatch, other.NotMatch...)
	r.Lower, r.Upper, r.Trimmed = r.Lower || other.Lower, r.Upper || other.Upper, r.Trimmed || other.Trimmed
	r.Past, r.Future = r.Past || other.Past, r.Future || other.Future
	r.Below, r.NotAbove = append(r.Below, other.Below...), append(r.NotAbove, other.NotAbove...)
}
