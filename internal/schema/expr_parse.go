package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parser reads one expression by the precedence of its operators.
type parser struct {
	mysql bool
	rest  string
	tok   token // the current one
	depth int
}

// Levels of precedence, the loosest first.
const (
	levelOr = iota + 1
	levelXor
	levelAnd
	levelNot
	levelIs
	levelCompare
	levelIn
	levelOther
	levelAdd
	levelMultiply
	levelPower
	levelSign
	levelPostfix
)

func (p *parser) whole() (*node, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	n, err := p.expr(levelOr)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		return nil, p.unexpected()
	}
	return n, nil
}

func (p *parser) next() (err error) {
	p.tok, err = p.lex()
	return err
}

func (p *parser) unexpected() error {
	if p.tok.kind == tokEnd {
		return errors.New("it ends too early")
	}
	return fmt.Errorf("%q is not understood here", p.tok.text)
}

// accept goes on if the token is s.
func (p *parser) accept(s string) (bool, error) {
	if !p.tok.is(s) {
		return false, nil
	}
	return true, p.next()
}

func (p *parser) expect(s string) error {
	ok, err := p.accept(s)
	if err == nil && !ok {
		err = p.unexpected()
	}
	return err
}

// peek is the token behind the current one.
func (p *parser) peek() token {
	saved := p.rest
	t, _ := p.lex()
	p.rest = saved
	return t
}

// expr reads an expression of operators that bind at least as tightly as level.
func (p *parser) expr(level int) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	left, err := p.prefix()
	for err == nil {
		var done bool
		if left, done, err = p.infix(left, level); done {
			break
		}
	}
	return left, err
}

// infix reads one operator behind left, and what it needs. It is done where there
// is none that binds tightly enough.
func (p *parser) infix(left *node, level int) (n *node, done bool, err error) {
	t := p.tok
	if t.kind != tokOp && t.kind != tokWord {
		return left, true, nil
	}
	word := t.text
	if t.kind == tokWord {
		word = strings.ToUpper(word)
	}
	at := levelOther
	switch word {
	case "OR":
		at = levelOr
	case "XOR":
		at = levelXor
	case "AND":
		at = levelAnd
	case "IS", "ISNULL", "NOTNULL":
		at = levelIs
	case "=", "<", ">", "<=", ">=", "<>", "!=", "<=>":
		at = levelCompare
	case "BETWEEN", "IN", "LIKE", "ILIKE", "SIMILAR", "REGEXP", "RLIKE", "NOT":
		at = levelIn
	case "+", "-":
		at = levelAdd
	case "*", "/", "%", "DIV", "MOD":
		at = levelMultiply
	case "^":
		at = levelPower
	case "::", "[", "COLLATE", "AT":
		at = levelPostfix
	default:
		if t.kind == tokWord || strings.Contains("()],.:!", word) {
			return left, true, nil
		}
	}
	if at < level {
		return left, true, nil
	}
	switch at {
	case levelIs:
		n, err = p.is(left)
		return n, false, err
	case levelIn:
		n, err = p.in(left)
		return n, false, err
	case levelPostfix:
		n, err = p.postfix(left)
		return n, false, err
	}
	if err := p.next(); err != nil {
		return nil, false, err
	}
	if at == levelCompare || at == levelOther {
		if p.tok.is("ANY") || p.tok.is("ALL") || p.tok.is("SOME") {
			n, err = p.quantified(word, left)
			return n, false, err
		}
	}
	right, err := p.expr(at + 1)
	if err != nil {
		return nil, false, err
	}
	n, err = p.binary(word, left, right)
	return n, false, err
}

// binary is the node of an operator with two sides.
func (p *parser) binary(op string, left, right *node) (*node, error) {
	switch op {
	case "AND":
		return join(opAnd, left, right), nil
	case "OR":
		return join(opOr, left, right), nil
	case "XOR":
		return &node{op: opXor, args: []*node{left, right}}, nil
	case "||":
		if p.mysql {
			return join(opOr, left, right), nil
		}
	case "&&":
		if p.mysql {
			return join(opAnd, left, right), nil
		}
	case "=", "<", ">", "<=", ">=", "<>", "!=":
		return p.compared(opCompare, op, left, right)
	case "<=>":
		return &node{op: opNot, args: []*node{{op: opDistinct, text: "=", args: []*node{left, right}, pad: true, fold: true}}}, nil
	case "~~", "!~~", "~~*", "!~~*", "~", "!~", "~*", "!~*":
		return p.match(op, left, right)
	}
	fn, ok := binaryOperators[op]
	if p.mysql {
		fn, ok = mysqlOperators[op]
	}
	if !ok {
		return nil, fmt.Errorf("the operator %s is not understood", op)
	}
	return p.call(op, fn, left, right)
}

// join makes one AND or OR of two sides that may be such themselves.
func join(op op, left, right *node) *node {
	if left.op == op {
		left.args = append(left.args, right)
		return left
	}
	return &node{op: op, args: []*node{left, right}}
}

// compared is a comparison. Where types say that an order is not that of values
// as they are held here it is refused.
func (p *parser) compared(op op, operator string, left, right *node) (*node, error) {
	if operator == "!=" {
		operator = "<>"
	}
	n := &node{op: op, text: operator, args: []*node{left, right}, pad: p.mysql, fold: p.mysql}
	for _, side := range n.args {
		switch {
		case side.typ.name == "bpchar":
			n.pad = true
		case side.typ.name == "citext":
			n.fold = true
		case side.typ.name != "" && !knownType(side.typ.name) && operator != "=" && operator != "<>":
			return nil, fmt.Errorf("the order of values of type %s is not understood", side.typ)
		}
	}
	return n, nil
}

// quantified is left op ANY (right), the current token being ANY, ALL or SOME.
func (p *parser) quantified(operator string, left *node) (*node, error) {
	kind := opAny
	if p.tok.is("ALL") {
		kind = opAll
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	right, err := p.expr(levelOr)
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	switch operator {
	case "=", "<", ">", "<=", ">=", "<>", "!=":
		return p.compared(kind, operator, left, right)
	}
	if right.op != opConst || right.val.Kind != ListValue {
		return nil, fmt.Errorf("the operator %s ANY of something that is no list of constants is not understood", operator)
	}
	out := &node{op: opOr}
	if kind == opAll {
		out.op = opAnd
	}
	for _, v := range right.val.list {
		n, err := p.binary(operator, left, constant(v))
		if err != nil {
			return nil, err
		}
		out.args = append(out.args, n)
	}
	return out, nil
}

// is reads IS [NOT] NULL and its like.
func (p *parser) is(left *node) (*node, error) {
	word := strings.ToUpper(p.tok.text)
	if err := p.next(); err != nil {
		return nil, err
	}
	isNull := &node{op: opIsNull, args: []*node{left}}
	switch word {
	case "ISNULL":
		return isNull, nil
	case "NOTNULL":
		return &node{op: opNot, args: []*node{isNull}}, nil
	}
	not, err := p.accept("NOT")
	if err != nil {
		return nil, err
	}
	var n *node
	switch word := strings.ToUpper(p.tok.text); word {
	case "NULL", "UNKNOWN":
		n = isNull
	case "TRUE":
		n = &node{op: opIsTrue, args: []*node{left}}
	case "FALSE":
		n = &node{op: opIsFalse, args: []*node{left}}
	case "DISTINCT":
		if err := p.next(); err != nil {
			return nil, err
		}
		if err := p.expect("FROM"); err != nil {
			return nil, err
		}
		right, err := p.expr(levelCompare)
		if err != nil {
			return nil, err
		}
		n, err = p.compared(opDistinct, "=", left, right)
		if err != nil || !not {
			return n, err
		}
		return &node{op: opNot, args: []*node{n}}, nil
	default:
		return nil, fmt.Errorf("IS %s is not understood", word)
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if not {
		n = &node{op: opNot, args: []*node{n}}
	}
	return n, nil
}

// in reads [NOT] BETWEEN, IN, LIKE, and MySQL's REGEXP.
func (p *parser) in(left *node) (*node, error) {
	not, err := p.accept("NOT")
	if err != nil {
		return nil, err
	}
	word := strings.ToUpper(p.tok.text)
	if p.tok.kind != tokWord {
		return nil, p.unexpected()
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	var n *node
	switch word {
	case "BETWEEN":
		low, err := p.expr(levelOther)
		if err != nil {
			return nil, err
		}
		if err := p.expect("AND"); err != nil {
			return nil, err
		}
		high, err := p.expr(levelOther)
		if err != nil {
			return nil, err
		}
		from, err := p.compared(opCompare, ">=", left, low)
		if err != nil {
			return nil, err
		}
		to, err := p.compared(opCompare, "<=", left, high)
		if err != nil {
			return nil, err
		}
		n = join(opAnd, from, to)
	case "IN":
		if err := p.expect("("); err != nil {
			return nil, err
		}
		list, err := p.list(")")
		if err != nil {
			return nil, err
		}
		if n, err = p.compared(opAny, "=", left, p.array(list)); err != nil {
			return nil, err
		}
	case "LIKE", "ILIKE", "REGEXP", "RLIKE":
		right, err := p.expr(levelOther)
		if err != nil {
			return nil, err
		}
		operator := map[string]string{"LIKE": "~~", "ILIKE": "~~*", "REGEXP": "~", "RLIKE": "~"}[word]
		if n, err = p.match(operator, left, right); err != nil {
			return nil, err
		}
		if p.tok.is("ESCAPE") {
			return nil, errors.New("ESCAPE is not understood")
		}
	default:
		return nil, fmt.Errorf("%s is not understood", word)
	}
	if not {
		n = &node{op: opNot, args: []*node{n}}
	}
	return n, nil
}

// list reads expressions up to a closing token.
func (p *parser) list(end string) ([]*node, error) {
	var out []*node
	if ok, err := p.accept(end); ok || err != nil {
		return out, err
	}
	for {
		n, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if ok, err := p.accept(","); err != nil {
			return nil, err
		} else if !ok {
			return out, p.expect(end)
		}
	}
}

// array is a list of values, constant where all of them are.
func (p *parser) array(args []*node) *node {
	n := &node{op: opArray, args: args}
	list := make([]Value, 0, len(args))
	for _, a := range args {
		if !a.constant() {
			return n
		}
		list = append(list, a.val)
	}
	out := constant(ListOf(list...))
	if len(args) > 0 {
		out.typ = args[0].typ
	}
	return out
}

// postfix reads ::type, [index], COLLATE and AT TIME ZONE.
func (p *parser) postfix(left *node) (*node, error) {
	word := strings.ToUpper(p.tok.text)
	if err := p.next(); err != nil {
		return nil, err
	}
	switch word {
	case "::":
		t, err := p.typeName()
		if err != nil {
			return nil, err
		}
		return p.cast(left, t)
	case "[":
		index, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		if err := p.expect("]"); err != nil {
			return nil, err
		}
		return p.call("[]", function{call: subscript}, left, index)
	case "COLLATE":
		name := p.tok.text
		if err := p.next(); err != nil {
			return nil, err
		}
		if ok, err := p.accept("."); err != nil {
			return nil, err
		} else if ok {
			name = p.tok.text
			if err := p.next(); err != nil {
				return nil, err
			}
		}
		switch {
		case name == "C" || name == "POSIX" || name == "default" || p.mysql && strings.HasSuffix(name, "_ci"):
			return left, nil
		}
		return nil, fmt.Errorf("the collation %q is not understood", name)
	}
	if err := p.expect("TIME"); err != nil {
		return nil, err
	}
	if err := p.expect("ZONE"); err != nil {
		return nil, err
	}
	zone, err := p.expr(levelPostfix)
	if err != nil {
		return nil, err
	}
	return p.inZone(zone, left)
}

func (p *parser) inZone(zone, of *node) (*node, error) {
	if zone.constant() {
		switch strings.ToUpper(zone.val.Text) {
		case "UTC", "GMT", "ETC/UTC", "Z":
			return p.call("timezone", function{call: inUTC}, of)
		}
	}
	return nil, errors.New("a time zone other than UTC is not understood")
}

// cast is n::t.
func (p *parser) cast(n *node, t typeName) (*node, error) {
	if !knownType(t.name) && !n.constant() {
		return nil, fmt.Errorf("a cast to %s is not understood", t)
	}
	out := &node{op: opCall, text: "::", args: []*node{n}, typ: t, fn: function{nulls: true, call: func(ev *evaluation, args []Value) (Value, error) {
		return castTo(args[0], t)
	}}}
	return p.fold(out)
}

// fold evaluates what is constant.
func (p *parser) fold(n *node) (*node, error) {
	for _, a := range n.args {
		if !a.constant() {
			return n, nil
		}
	}
	v, err := (&evaluation{}).eval(n)
	if err != nil {
		return nil, err
	}
	return &node{op: opConst, val: v, typ: n.typ}, nil
}

// call is fn of args.
func (p *parser) call(name string, fn function, args ...*node) (*node, error) {
	if fn.min > 0 && len(args) < fn.min || fn.max > 0 && len(args) > fn.max {
		return nil, fmt.Errorf("the function %s with %d arguments is not understood", name, len(args))
	}
	if fn.check != nil {
		if err := fn.check(args); err != nil {
			return nil, err
		}
	}
	return p.fold(&node{op: opCall, text: name, args: args, fn: fn})
}

// typeName reads a type behind :: or AS.
func (p *parser) typeName() (typeName, error) {
	var t typeName
	if p.tok.kind != tokWord && p.tok.kind != tokQuoted {
		return t, p.unexpected()
	}
	quoted := p.tok.kind == tokQuoted
	t.name = p.tok.text
	if !quoted {
		t.name = strings.ToLower(t.name)
	}
	if err := p.next(); err != nil {
		return t, err
	}
	for p.tok.is(".") {
		if err := p.next(); err != nil {
			return t, err
		}
		t.name = p.tok.text
		if err := p.next(); err != nil {
			return t, err
		}
	}
	words := func() error {
		for !quoted {
			w := strings.ToLower(p.tok.text)
			ok := p.tok.kind == tokWord
			switch w {
			case "varying", "precision":
			case "unsigned", "signed":
				ok = ok && p.mysql
			case "with", "without":
				if ok {
					w += " time zone"
					for range 2 {
						if err := p.next(); err != nil {
							return err
						}
					}
					ok = p.tok.is("zone")
				}
			case "charset", "character":
				if !ok || !p.mysql {
					return nil
				}
				for !p.tok.is(")") && p.tok.kind != tokEnd {
					if err := p.next(); err != nil {
						return err
					}
				}
				return nil
			default:
				return nil
			}
			if !ok {
				return nil
			}
			t.name += " " + w
			if err := p.next(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := words(); err != nil {
		return t, err
	}
	if ok, err := p.accept("("); err != nil {
		return t, err
	} else if ok {
		for {
			n, err := strconv.Atoi(p.tok.text)
			if err != nil || p.tok.kind != tokNumber || n > 1<<24 {
				return t, p.unexpected()
			}
			t.args = append(t.args, n)
			if err := p.next(); err != nil {
				return t, err
			}
			if ok, err := p.accept(","); err != nil {
				return t, err
			} else if !ok {
				break
			}
		}
		if err := p.expect(")"); err != nil {
			return t, err
		}
		if err := words(); err != nil {
			return t, err
		}
	}
	for p.tok.is("[") && p.peek().is("]") {
		t.arrays++
		for range 2 {
			if err := p.next(); err != nil {
				return t, err
			}
		}
	}
	t.name = canonicalType(t.name)
	return t, nil
}
