package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxText bounds what repeat and its like may make.
const maxText = 1 << 20

func substring(ev *evaluation, a []Value) (Value, error) {
	if a[1].Kind != IntValue {
		return Value{}, errors.New("substring by a pattern is not understood")
	}
	from, to := a[1].Int, int64(maxText)
	if len(a) == 3 {
		if a[2].Kind != IntValue {
			return Value{}, errors.New("substring by a pattern is not understood")
		}
		if a[2].Int < 0 {
			return Value{}, errors.New("substring of negative length")
		}
		to = from + min(a[2].Int, maxText)
	}
	if a[0].Kind == BytesValue {
		n := int64(len(a[0].Text)) + 1
		from, to = min(max(from, 1), n), min(max(to, 1), n)
		return BytesOf(a[0].Text[from-1 : max(from, to)-1]), nil
	}
	return TextOf(cut(a[0].String(), from, to)), nil
}

// cut is the characters from (counted from 1) to before to.
func cut(s string, from, to int64) string {
	from = max(from, 1)
	if to <= from {
		return ""
	}
	start, n := -1, int64(1)
	for i := range s {
		if n == from {
			start = i
		}
		if n == to {
			return s[start:i]
		}
		n++
	}
	if start < 0 {
		return ""
	}
	return s[start:]
}

func left(ev *evaluation, a []Value) (Value, error) {
	s, n := a[0].String(), a[1].Int
	if n < 0 {
		n = max(int64(utf8.RuneCountInString(s))+n, 0)
	}
	return TextOf(cut(s, 1, min(n, maxText)+1)), nil
}

func right(ev *evaluation, a []Value) (Value, error) {
	s, n := a[0].String(), a[1].Int
	from := int64(utf8.RuneCountInString(s)) - n
	if n < 0 {
		from = -n
	}
	return TextOf(cut(s, max(from, 0)+1, maxText)), nil
}

func position(ev *evaluation, a []Value) (Value, error) {
	return positionOf(a[0].String(), a[1].String()), nil
}

func positionOf(what, in string) Value {
	i := strings.Index(in, what)
	if i < 0 {
		return IntOf(0)
	}
	return IntOf(int64(utf8.RuneCountInString(in[:i])) + 1)
}

func replaceAll(s, from, to string) string {
	if from == "" {
		return s
	}
	return strings.ReplaceAll(s, from, to)
}

func reverse(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

func translate(s, from, to string) string {
	f, t := []rune(from), []rune(to)
	return strings.Map(func(r rune) rune {
		i := slices.Index(f, r)
		switch {
		case i < 0:
			return r
		case i < len(t):
			return t[i]
		}
		return -1
	}, s)
}

func splitPart(ev *evaluation, a []Value) (Value, error) {
	parts := []string{a[0].Text}
	if a[1].Text != "" {
		parts = strings.Split(a[0].Text, a[1].Text)
	}
	n := a[2].Int
	switch {
	case n == 0:
		return Value{}, errors.New("split_part of field zero")
	case n < 0:
		n += int64(len(parts)) + 1
	}
	if n < 1 || n > int64(len(parts)) {
		return TextOf(""), nil
	}
	return TextOf(parts[n-1]), nil
}

func repeat(ev *evaluation, a []Value) (Value, error) {
	s, n := a[0].String(), max(a[1].Int, 0)
	if n > maxText || int64(len(s))*n > maxText {
		return Value{}, errors.New("a text becomes too long")
	}
	return TextOf(strings.Repeat(s, int(n))), nil
}

func padder(before bool) func(*evaluation, []Value) (Value, error) {
	return func(ev *evaluation, a []Value) (Value, error) {
		s, n, fill := []rune(a[0].String()), a[1].Int, []rune(" ")
		if len(a) == 3 {
			fill = []rune(a[2].Text)
		}
		n = max(n, 0)
		if n > maxText {
			return Value{}, errors.New("a text becomes too long")
		}
		if int64(len(s)) >= n {
			return TextOf(string(s[:n])), nil
		}
		var pad []rune
		for i := 0; len(fill) > 0 && len(pad)+len(s) < int(n); i++ {
			pad = append(pad, fill[i%len(fill)])
		}
		if before {
			return TextOf(string(pad) + string(s)), nil
		}
		return TextOf(string(s) + string(pad)), nil
	}
}

func ascii(ev *evaluation, a []Value) (Value, error) {
	r, n := utf8.DecodeRuneInString(a[0].Text)
	if n == 0 {
		return IntOf(0), nil
	}
	return IntOf(int64(r)), nil
}

// concat is ||, of texts, bytes, arrays and JSON documents.
func concat(ev *evaluation, a []Value) (Value, error) {
	x, y := a[0], a[1]
	switch {
	case x.Kind == ListValue || y.Kind == ListValue:
		return ListOf(append(slices.Clone(elems(x)), elems(y)...)...), nil
	case x.Kind == JSONValue || y.Kind == JSONValue:
		return Value{}, errors.New("|| of JSON documents is not understood")
	case x.Kind == BytesValue && y.Kind == BytesValue:
		return BytesOf(x.Text + y.Text), nil
	}
	return TextOf(x.String() + y.String()), nil
}

// elems are the elements of a list, or the one that a value is.
func elems(v Value) []Value {
	if v.Kind == ListValue {
		return v.list
	}
	return []Value{v}
}

func concatAll(ev *evaluation, a []Value) (Value, error) {
	var b strings.Builder
	for _, v := range a {
		writeArg(&b, v)
	}
	return TextOf(b.String()), nil
}

// writeArg writes what concat writes of a value: nothing of NULL, and t or f.
func writeArg(b *strings.Builder, v Value) {
	switch v.Kind {
	case NullValue:
	case BoolValue:
		b.WriteByte("ft"[v.Int&1])
	default:
		b.WriteString(v.String())
	}
}

func concatWith(ev *evaluation, a []Value) (Value, error) {
	if a[0].IsNull() {
		return Value{}, nil
	}
	var b strings.Builder
	some := false
	for _, v := range a[1:] {
		if v.IsNull() {
			continue
		}
		if some {
			b.WriteString(a[0].Text)
		}
		some = true
		writeArg(&b, v)
	}
	return TextOf(b.String()), nil
}

func subscript(ev *evaluation, a []Value) (Value, error) {
	if a[0].Kind == JSONValue {
		return jsonGet(ev, a)
	}
	l, err := toList(a[0])
	if err != nil {
		return l, err
	}
	if i := a[1].Int; a[1].Kind == IntValue && i >= 1 && i <= int64(len(l.list)) && l.list[i-1].Kind != ListValue {
		return l.list[i-1], nil
	}
	return Value{}, nil
}

func arrayLength(ev *evaluation, a []Value) (Value, error) {
	l, err := toList(a[0])
	if err != nil {
		return l, err
	}
	for d := a[1].Int; d > 1 && len(l.list) > 0; d-- {
		l = l.list[0]
	}
	if len(l.list) == 0 || a[1].Int < 1 {
		return Value{}, nil
	}
	return IntOf(int64(len(l.list))), nil
}

func cardinality(ev *evaluation, a []Value) (Value, error) {
	l, err := toList(a[0])
	return IntOf(int64(len(flat(l.list)))), err
}

// flat are the elements of a list whatever its dimensions.
func flat(list []Value) []Value {
	if len(list) == 0 || list[0].Kind != ListValue {
		return list
	}
	var out []Value
	for _, l := range list {
		out = append(out, flat(l.list)...)
	}
	return out
}

func dimensions(ev *evaluation, a []Value) (Value, error) {
	l, err := toList(a[0])
	if err != nil {
		return l, err
	}
	n := int64(0)
	for ; l.Kind == ListValue && len(l.list) > 0; l = l.list[0] {
		n++
	}
	if n == 0 {
		return Value{}, nil
	}
	return IntOf(n), nil
}

func sameOrNull(a, b Value) (bool, error) {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull(), nil
	}
	c, err := compare(a, b)
	return c == 0, err
}

func arrayPosition(ev *evaluation, a []Value) (Value, error) {
	if a[0].IsNull() {
		return Value{}, nil
	}
	l, err := toList(a[0])
	if err != nil {
		return l, err
	}
	for i, e := range l.list {
		if same, err := sameOrNull(e, a[1]); same || err != nil {
			return IntOf(int64(i) + 1), err
		}
	}
	return Value{}, nil
}

func arrayRemove(ev *evaluation, a []Value) (Value, error) {
	if a[0].IsNull() {
		return Value{}, nil
	}
	l, err := toList(a[0])
	if err != nil {
		return l, err
	}
	var out []Value
	for _, e := range l.list {
		same, err := sameOrNull(e, a[1])
		if err != nil {
			return l, err
		}
		if !same {
			out = append(out, e)
		}
	}
	return ListOf(out...), nil
}

// contains is @>, of JSON documents, arrays and ranges.
func contains(ev *evaluation, a []Value) (Value, error) {
	x, y := a[0], a[1]
	switch {
	case x.Kind == JSONValue || y.Kind == JSONValue:
		return jsonContains(x, y)
	case x.Kind == OtherValue && !strings.HasPrefix(x.Text, "{"):
		return rangeContains(x, y)
	}
	xs, err1 := toList(x)
	ys, err2 := toList(y)
	if err := errors.Join(err1, err2); err != nil {
		return Value{}, err
	}
	for _, want := range ys.list {
		if found, err := holds(xs.list, want); err != nil || !found {
			return BoolOf(false), err
		}
	}
	return BoolOf(true), nil
}

// holds reports whether an array has an element; NULL is in none.
func holds(list []Value, want Value) (bool, error) {
	for _, e := range list {
		if e.IsNull() || want.IsNull() {
			continue
		}
		if c, err := compare(e, want); c == 0 || err != nil {
			return err == nil, err
		}
	}
	return false, nil
}

func contained(ev *evaluation, a []Value) (Value, error) {
	return contains(ev, []Value{a[1], a[0]})
}

// overlap is && of arrays.
func overlap(ev *evaluation, a []Value) (Value, error) {
	xs, err1 := toList(a[0])
	ys, err2 := toList(a[1])
	if err := errors.Join(err1, err2); err != nil {
		return Value{}, err
	}
	for _, y := range ys.list {
		if found, err := holds(xs.list, y); found || err != nil {
			return BoolOf(found), err
		}
	}
	return BoolOf(false), nil
}

// span is a range.
type span struct {
	lower, upper       Value // NULL: unbounded
	lowerInc, upperInc bool
	empty              bool
}

// parseRange reads a range in PostgreSQL's canonical form.
func parseRange(s string) (span, error) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, "empty") {
		return span{empty: true}, nil
	}
	bad := fmt.Errorf("%q is no range", s)
	if len(s) < 3 {
		return span{}, bad
	}
	open, end := s[0], s[len(s)-1]
	comma := strings.IndexByte(s, ',')
	if open != '[' && open != '(' || end != ']' && end != ')' || comma < 0 {
		return span{}, bad
	}
	bound := func(s string) Value {
		if s == "" {
			return Value{}
		}
		return guess(strings.Trim(s, `"`))
	}
	return span{lower: bound(s[1:comma]), upper: bound(s[comma+1 : len(s)-1]), lowerInc: open == '[', upperInc: end == ']'}, nil
}

func rangeOf(f func(span) Value) function {
	return function{min: 1, max: 1, call: func(ev *evaluation, a []Value) (Value, error) {
		r, err := parseRange(a[0].Text)
		if err != nil {
			return Value{}, err
		}
		return f(r), nil
	}}
}

func rangeContains(r, v Value) (Value, error) {
	x, err := parseRange(r.Text)
	if err != nil || x.empty {
		return BoolOf(false), err
	}
	if stringy(v) {
		return Value{}, errors.New("@> of two ranges is not understood")
	}
	if !x.lower.IsNull() {
		c, err := compare(v, x.lower)
		if err != nil || c < 0 || c == 0 && !x.lowerInc {
			return BoolOf(false), err
		}
	}
	if !x.upper.IsNull() {
		c, err := compare(v, x.upper)
		if err != nil || c > 0 || c == 0 && !x.upperInc {
			return BoolOf(false), err
		}
	}
	return BoolOf(true), nil
}
