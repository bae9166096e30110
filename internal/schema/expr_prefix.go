package schema

import (
	"fmt"
	"strings"
)

// prefix reads what stands at the beginning of an expression: a value, a name, a
// call, something in parentheses, or an operator with one side.
func (p *parser) prefix() (*node, error) {
	t := p.tok
	if err := p.next(); err != nil {
		return nil, err
	}
	switch t.kind {
	case tokNumber:
		v, ok := parseNumber(t.text)
		if !ok {
			return nil, fmt.Errorf("the number %q is not understood", t.text)
		}
		return constant(v), nil
	case tokString:
		return constant(TextOf(t.text)), nil
	case tokBits:
		return constant(BytesOf(t.text)), nil
	case tokQuoted:
		return p.named(t)
	case tokWord:
		return p.word(t)
	}
	switch {
	case t.is("("):
		n, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		if p.tok.is(",") {
			return nil, fmt.Errorf("a row of values is not understood")
		}
		return n, p.expect(")")
	case t.is("-"):
		n, err := p.expr(levelSign)
		if err != nil {
			return nil, err
		}
		return p.call("-", function{call: negate}, n)
	case t.is("+"):
		return p.expr(levelSign)
	case t.is("!") && p.mysql:
		n, err := p.expr(levelSign)
		return &node{op: opNot, args: []*node{n}}, err
	}
	if t.kind == tokEnd {
		return nil, p.unexpectedToken(t)
	}
	return nil, fmt.Errorf("%q is not understood here", t.text)
}

func (p *parser) unexpectedToken(t token) error {
	p.tok = t
	return p.unexpected()
}

// word reads what begins with a bare word.
func (p *parser) word(t token) (*node, error) {
	switch w := strings.ToUpper(t.text); w {
	case "NULL":
		return constant(Value{}), nil
	case "TRUE":
		return constant(BoolOf(true)), nil
	case "FALSE":
		return constant(BoolOf(false)), nil
	case "NOT":
		n, err := p.expr(levelNot)
		return &node{op: opNot, args: []*node{n}}, err
	case "CASE":
		return p.caseOf()
	case "CURRENT_DATE", "CURDATE":
		return &node{op: opToday}, p.emptyCall()
	case "CURRENT_TIMESTAMP", "LOCALTIMESTAMP":
		return &node{op: opNow}, p.emptyCall()
	case "ARRAY":
		if ok, err := p.accept("["); err != nil {
			return nil, err
		} else if ok {
			list, err := p.list("]")
			if err != nil {
				return nil, err
			}
			return p.array(list), nil
		}
	case "INTERVAL", "DATE", "TIMESTAMP", "TIME":
		if p.tok.kind == tokString {
			s := p.tok.text
			if err := p.next(); err != nil {
				return nil, err
			}
			if w == "INTERVAL" && p.mysql {
				return p.mysqlInterval(constant(TextOf(s)))
			}
			return p.cast(constant(TextOf(s)), typeName{name: canonicalType(strings.ToLower(w))})
		}
		if w == "INTERVAL" && p.mysql {
			n, err := p.expr(levelOther)
			if err != nil {
				return nil, err
			}
			return p.mysqlInterval(n)
		}
	}
	return p.named(t)
}

// mysqlInterval reads the unit of INTERVAL n unit.
func (p *parser) mysqlInterval(n *node) (*node, error) {
	unit := strings.ToLower(p.tok.text)
	var v Value
	if p.tok.kind != tokWord || !v.add(1, unit) {
		return nil, fmt.Errorf("the interval's unit %q is not understood", p.tok.text)
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	return p.call("interval", function{call: func(ev *evaluation, args []Value) (Value, error) {
		x, err := toNumber(args[0])
		if err != nil {
			return Value{}, err
		}
		v := Value{Kind: IntervalValue}
		v.add(float(x), unit)
		return v, nil
	}}, n)
}

// emptyCall reads the parentheses of a function without arguments, if there are
// any, and a precision within.
func (p *parser) emptyCall() error {
	ok, err := p.accept("(")
	if !ok || err != nil {
		return err
	}
	if p.tok.kind == tokNumber {
		if err := p.next(); err != nil {
			return err
		}
	}
	return p.expect(")")
}

// caseOf reads a CASE, whose word has been read.
func (p *parser) caseOf() (*node, error) {
	n := &node{op: opCase}
	var of *node
	var err error
	if !p.tok.is("WHEN") {
		if of, err = p.expr(levelOr); err != nil {
			return nil, err
		}
	}
	for {
		ok, err := p.accept("WHEN")
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		when, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		if of != nil {
			if when, err = p.compared(opCompare, "=", of, when); err != nil {
				return nil, err
			}
		}
		if err := p.expect("THEN"); err != nil {
			return nil, err
		}
		then, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, when, then)
	}
	otherwise := constant(Value{})
	if ok, err := p.accept("ELSE"); err != nil {
		return nil, err
	} else if ok {
		if otherwise, err = p.expr(levelOr); err != nil {
			return nil, err
		}
	}
	if len(n.args) == 0 {
		return nil, p.unexpected()
	}
	n.args = append(n.args, otherwise)
	return n, p.expect("END")
}

// named reads a column or a call, whose name, or its first part, has been read.
func (p *parser) named(t token) (*node, error) {
	name, quoted := t.text, t.kind == tokQuoted
	for p.tok.is(".") {
		if err := p.next(); err != nil {
			return nil, err
		}
		if p.tok.kind != tokWord && p.tok.kind != tokQuoted {
			return nil, p.unexpected()
		}
		name, quoted = p.tok.text, p.tok.kind == tokQuoted
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	if p.tok.is("(") {
		if err := p.next(); err != nil {
			return nil, err
		}
		return p.function(strings.ToLower(name))
	}
	if !quoted && !p.mysql && name != "VALUE" {
		name = strings.ToLower(name)
	}
	return &node{op: opColumn, text: name}, nil
}

// function reads a call's arguments, its parenthesis having been read.
func (p *parser) function(name string) (*node, error) {
	switch name {
	case "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "utc_timestamp", "sysdate":
		return &node{op: opNow}, p.expect(")")
	case "curdate", "current_date":
		return &node{op: opToday}, p.expect(")")
	case "cast":
		n, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		if err := p.expect("AS"); err != nil {
			return nil, err
		}
		t, err := p.typeName()
		if err != nil {
			return nil, err
		}
		if err := p.expect(")"); err != nil {
			return nil, err
		}
		return p.cast(n, t)
	case "extract":
		unit := p.tok.text
		if err := p.next(); err != nil {
			return nil, err
		}
		if err := p.expect("FROM"); err != nil {
			return nil, err
		}
		return p.special("date_part", constant(TextOf(unit)), ")")
	case "position":
		what, err := p.expr(levelOther)
		if err != nil {
			return nil, err
		}
		if ok, err := p.accept(","); ok || err != nil {
			return nil, fmt.Errorf("position with a comma is not understood")
		}
		if err := p.expect("IN"); err != nil {
			return nil, err
		}
		return p.special("position", what, ")")
	case "trim":
		return p.trim()
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	switch name {
	case "coalesce", "ifnull":
		return &node{op: opCoalesce, args: args}, nil
	case "if":
		if len(args) == 3 && p.mysql {
			return &node{op: opCase, args: args}, nil
		}
	case "isnull":
		if len(args) == 1 && p.mysql {
			return &node{op: opIsNull, args: args}, nil
		}
	case "timezone":
		if len(args) == 2 {
			return p.inZone(args[0], args[1])
		}
	case "nullif":
		if len(args) != 2 {
			break
		}
		same, err := p.compared(opCompare, "=", args[0], args[1])
		return &node{op: opCase, args: []*node{same, constant(Value{}), args[0]}}, err
	case "regexp_like":
		if len(args) == 2 {
			return p.match("~", args[0], args[1])
		}
	case "starts_with":
		if len(args) == 2 && args[1].constant() {
			return p.match("~~", args[0], constant(TextOf(likeEscape(args[1].val.Text)+"%")))
		}
	}
	if p.mysql && name == "length" { // it counts bytes
		name = "octet_length"
	}
	fn, ok := functions[name]
	if p.mysql {
		if own, mine := mysqlFunctions[name]; mine {
			fn, ok = own, true
		}
	}
	if !ok {
		return nil, fmt.Errorf("the function %s is not understood", name)
	}
	return p.call(name, fn, args...)
}

// special reads one more argument and the end of a call whose first has been read.
func (p *parser) special(name string, first *node, end string) (*node, error) {
	second, err := p.expr(levelOr)
	if err != nil {
		return nil, err
	}
	if err := p.expect(end); err != nil {
		return nil, err
	}
	return p.call(name, functions[name], first, second)
}

// arguments reads a call's arguments, FROM and FOR standing for commas as in
// substring(a FROM 1 FOR 2).
func (p *parser) arguments() ([]*node, error) {
	var out []*node
	if ok, err := p.accept(")"); ok || err != nil {
		return nil, err
	}
	for {
		if p.tok.is("VARIADIC") || p.tok.is("DISTINCT") || p.tok.is("*") {
			return nil, p.unexpected()
		}
		n, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if p.tok.is(",") || p.tok.is("FROM") || p.tok.is("FOR") {
			if err := p.next(); err != nil {
				return nil, err
			}
			continue
		}
		return out, p.expect(")")
	}
}

// trim reads TRIM([BOTH|LEADING|TRAILING] [characters FROM] text).
func (p *parser) trim() (*node, error) {
	name := "btrim"
	for word, fn := range map[string]string{"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"} {
		if p.tok.is(word) {
			name = fn
			if err := p.next(); err != nil {
				return nil, err
			}
			break
		}
	}
	var args []*node
	if ok, err := p.accept("FROM"); err != nil {
		return nil, err
	} else if !ok {
		n, err := p.expr(levelOr)
		if err != nil {
			return nil, err
		}
		args = append(args, n)
		if ok, err = p.accept("FROM"); err != nil {
			return nil, err
		} else if !ok {
			return p.endTrim(name, args)
		}
	}
	n, err := p.expr(levelOr)
	if err != nil {
		return nil, err
	}
	return p.endTrim(name, append([]*node{n}, args...))
}

func (p *parser) endTrim(name string, args []*node) (*node, error) {
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	return p.call(name, functions[name], args...)
}
