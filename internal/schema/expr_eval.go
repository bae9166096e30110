package schema

import (
	"errors"
	"strings"
)

// evaluation is one expression being evaluated for one row.
type evaluation struct {
	get   func(string) Value
	now   int64   // µs
	stack []Value // arguments of the calls under way
}

func (ev *evaluation) eval(n *node) (Value, error) {
	switch n.op {
	case opConst:
		return n.val, nil
	case opColumn:
		return ev.get(n.text), nil
	case opNow:
		return TimeOf(ev.now), nil
	case opToday:
		return timeToDate(TimeOf(ev.now)), nil
	case opAnd, opOr:
		return ev.junction(n)
	case opXor:
		a, err := ev.eval(n.args[0])
		if err != nil || a.IsNull() {
			return Value{}, err
		}
		b, err := ev.eval(n.args[1])
		if err != nil || b.IsNull() {
			return Value{}, err
		}
		x, err1 := a.truth()
		y, err2 := b.truth()
		return BoolOf(x != y), errors.Join(err1, err2)
	case opCompare, opDistinct:
		a, err := ev.eval(n.args[0])
		if err != nil {
			return Value{}, err
		}
		b, err := ev.eval(n.args[1])
		if err != nil {
			return Value{}, err
		}
		if n.op == opDistinct && (a.IsNull() || b.IsNull()) {
			return BoolOf(a.IsNull() != b.IsNull()), nil
		}
		v, err := n.compare(a, b)
		if n.op == opDistinct && err == nil {
			v.Int = 1 - v.Int
		}
		return v, err
	case opAny, opAll:
		return ev.quantified(n)
	case opCase:
		for i := 0; i+1 < len(n.args); i += 2 {
			when, err := ev.eval(n.args[i])
			if err != nil {
				return Value{}, err
			}
			ok, err := when.truth()
			if err != nil {
				return Value{}, err
			}
			if ok {
				return ev.eval(n.args[i+1])
			}
		}
		return ev.eval(n.args[len(n.args)-1])
	case opCoalesce:
		for _, a := range n.args {
			if v, err := ev.eval(a); err != nil || !v.IsNull() {
				return v, err
			}
		}
		return Value{}, nil
	case opArray:
		list := make([]Value, len(n.args))
		for i, a := range n.args {
			v, err := ev.eval(a)
			if err != nil {
				return Value{}, err
			}
			list[i] = v
		}
		return ListOf(list...), nil
	case opCall:
		return ev.call(n)
	}
	v, err := ev.eval(n.args[0])
	if err != nil {
		return Value{}, err
	}
	switch n.op {
	case opIsNull:
		return BoolOf(v.IsNull()), nil
	case opMatch:
		if v.IsNull() {
			return Value{}, nil
		}
		return BoolOf(n.pattern.match(v.String()) != n.not), nil
	}
	b, err := v.truth()
	switch n.op {
	case opIsTrue:
		return BoolOf(!v.IsNull() && b), err
	case opIsFalse:
		return BoolOf(!v.IsNull() && !b), err
	}
	if v.IsNull() { // opNot
		return Value{}, nil
	}
	return BoolOf(!b), err
}

// junction is AND or OR.
func (ev *evaluation) junction(n *node) (Value, error) {
	decisive := n.op == opOr
	unknown := false
	for _, a := range n.args {
		v, err := ev.eval(a)
		if err != nil {
			return Value{}, err
		}
		if v.IsNull() {
			unknown = true
			continue
		}
		b, err := v.truth()
		if err != nil {
			return Value{}, err
		}
		if b == decisive {
			return BoolOf(b), nil
		}
	}
	if unknown {
		return Value{}, nil
	}
	return BoolOf(!decisive), nil
}

// compare is what the node's operator says of two values.
func (n *node) compare(a, b Value) (Value, error) {
	if a.IsNull() || b.IsNull() {
		return Value{}, nil
	}
	if n.pad || n.fold {
		a, b = n.plain(a), n.plain(b)
	}
	c, err := compare(a, b)
	if err != nil {
		return Value{}, err
	}
	switch n.text {
	case "=":
		return BoolOf(c == 0), nil
	case "<>":
		return BoolOf(c != 0), nil
	case "<":
		return BoolOf(c < 0), nil
	case "<=":
		return BoolOf(c <= 0), nil
	case ">":
		return BoolOf(c > 0), nil
	}
	return BoolOf(c >= 0), nil
}

// plain is a text without what the node's comparison does not see.
func (n *node) plain(v Value) Value {
	if v.Kind != TextValue {
		return v
	}
	if n.pad {
		v.Text = strings.TrimRight(v.Text, " ")
	}
	if n.fold {
		v.Text = strings.ToLower(v.Text)
	}
	return v
}

func (ev *evaluation) quantified(n *node) (Value, error) {
	a, err := ev.eval(n.args[0])
	if err != nil {
		return Value{}, err
	}
	b, err := ev.eval(n.args[1])
	if err != nil || b.IsNull() {
		return Value{}, err
	}
	if b, err = toList(b); err != nil {
		return Value{}, err
	}
	unknown := false
	for _, elem := range flat(b.list) {
		v, err := n.compare(a, elem)
		switch {
		case err != nil:
			return Value{}, err
		case v.IsNull():
			unknown = true
		case (v.Int != 0) == (n.op == opAny):
			return v, nil
		}
	}
	if unknown {
		return Value{}, nil
	}
	return BoolOf(n.op == opAll), nil
}

func (ev *evaluation) call(n *node) (Value, error) {
	base := len(ev.stack)
	defer func() { ev.stack = ev.stack[:base] }()
	for _, a := range n.args {
		v, err := ev.eval(a)
		if err != nil {
			return Value{}, err
		}
		if v.IsNull() && !n.fn.nulls {
			return Value{}, nil
		}
		ev.stack = append(ev.stack, v)
	}
	return n.fn.call(ev, ev.stack[base:])
}
