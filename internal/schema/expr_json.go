package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// parseJSON reads a document; its numbers are json.Number.
func parseJSON(s string) (any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%q is no JSON", s)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%q is no JSON", s)
	}
	return v, nil
}

// jsonText is a document as jsonb prints it: keys by length and bytes, a space
// behind each colon and comma.
func jsonText(v any) string {
	var b strings.Builder
	writeJSON(&b, v)
	return b.String()
}

func writeJSON(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(x, y string) int {
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			return strings.Compare(x, y)
		})
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSON(b, k)
			b.WriteString(": ")
			writeJSON(b, v[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSON(b, e)
		}
		b.WriteByte(']')
	case string:
		var buf bytes.Buffer
		e := json.NewEncoder(&buf)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // of a string it cannot fail
		b.WriteString(strings.TrimSuffix(buf.String(), "\n"))
	case json.Number:
		b.WriteString(v.String())
	case bool:
		fmt.Fprint(b, v)
	default:
		b.WriteString("null")
	}
}

// jsonEqual compares as jsonb does: numbers by value, objects whatever the order
// of their keys.
func jsonEqual(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !jsonEqual(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, jsonEqual)
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, _ := parseNumber(a.String())
		y, _ := parseNumber(b.String())
		return compareNumbers(x, y) == 0
	}
	return a == b
}

// compareJSON tells equal documents from others. Their order is not kept.
func compareJSON(a, b string) (int, error) {
	x, err1 := parseJSON(a)
	y, err2 := parseJSON(b)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if jsonEqual(x, y) {
		return 0, nil
	}
	return strings.Compare(a, b), nil
}

// member is one step into a document: a key of an object, or an element of an
// array.
func member(doc any, step Value) (any, bool) {
	switch doc := doc.(type) {
	case map[string]any:
		if step.Kind == IntValue {
			return nil, false
		}
		v, ok := doc[step.Text]
		return v, ok
	case []any:
		if step.Kind != IntValue {
			return nil, false
		}
		i := step.Int
		if i < 0 {
			i += int64(len(doc))
		}
		if i < 0 || i >= int64(len(doc)) {
			return nil, false
		}
		return doc[i], true
	}
	return nil, false
}

func jsonGet(ev *evaluation, a []Value) (Value, error) {
	doc, err := parseJSON(a[0].Text)
	if err != nil {
		return Value{}, err
	}
	v, ok := member(doc, a[1])
	return jsonResult(v, ok, false), nil
}

func jsonGetText(ev *evaluation, a []Value) (Value, error) {
	doc, err := parseJSON(a[0].Text)
	if err != nil {
		return Value{}, err
	}
	v, ok := member(doc, a[1])
	return jsonResult(v, ok, true), nil
}

func jsonResult(v any, ok, text bool) Value {
	switch {
	case !ok, text && v == nil:
		return Value{}
	case text:
		if s, ok := v.(string); ok {
			return TextOf(s)
		}
		return TextOf(jsonText(v))
	}
	return JSONOf(jsonText(v))
}

func jsonPath(ev *evaluation, a []Value) (Value, error)     { return walkJSON(a, false) }
func jsonPathText(ev *evaluation, a []Value) (Value, error) { return walkJSON(a, true) }

func walkJSON(a []Value, text bool) (Value, error) {
	path, err := toList(a[1])
	if err != nil {
		return Value{}, err
	}
	return walkPath(a[0], path.list, text)
}

func jsonExtract(text bool) func(*evaluation, []Value) (Value, error) {
	return func(ev *evaluation, a []Value) (Value, error) { return walkPath(a[0], a[1:], text) }
}

func walkPath(of Value, path []Value, text bool) (Value, error) {
	doc, err := parseJSON(of.Text)
	if err != nil {
		return Value{}, err
	}
	for _, step := range path {
		if _, ok := doc.([]any); ok {
			if n, ok := parseNumber(step.Text); ok {
				step = n
			}
		}
		var ok bool
		if doc, ok = member(doc, step); !ok {
			return Value{}, nil
		}
	}
	return jsonResult(doc, true, text), nil
}

func jsonType(ev *evaluation, a []Value) (Value, error) {
	doc, err := parseJSON(a[0].Text)
	if err != nil {
		return Value{}, err
	}
	switch doc.(type) {
	case map[string]any:
		return TextOf("object"), nil
	case []any:
		return TextOf("array"), nil
	case string:
		return TextOf("string"), nil
	case json.Number:
		return TextOf("number"), nil
	case bool:
		return TextOf("boolean"), nil
	}
	return TextOf("null"), nil
}

func jsonLength(ev *evaluation, a []Value) (Value, error) {
	doc, err := parseJSON(a[0].Text)
	if err != nil {
		return Value{}, err
	}
	list, ok := doc.([]any)
	if !ok {
		return Value{}, errors.New("the length of what is no JSON array")
	}
	return IntOf(int64(len(list))), nil
}

func jsonValid(ev *evaluation, a []Value) (Value, error) {
	return BoolOf(json.Valid([]byte(a[0].Text))), nil
}

// hasKey is ?: a key of an object, or a string in an array.
func hasKey(doc any, key string) bool {
	switch doc := doc.(type) {
	case map[string]any:
		_, ok := doc[key]
		return ok
	case []any:
		return slices.ContainsFunc(doc, func(e any) bool { return e == any(key) })
	}
	return doc == any(key)
}

func jsonHas(ev *evaluation, a []Value) (Value, error) {
	doc, err := parseJSON(a[0].Text)
	return BoolOf(hasKey(doc, a[1].Text)), err
}

func jsonHasAny(ev *evaluation, a []Value) (Value, error) { return hasKeys(a, true) }
func jsonHasAll(ev *evaluation, a []Value) (Value, error) { return hasKeys(a, false) }

func hasKeys(a []Value, decisive bool) (Value, error) {
	doc, err := parseJSON(a[0].Text)
	if err != nil {
		return Value{}, err
	}
	keys, err := toList(a[1])
	if err != nil {
		return Value{}, err
	}
	for _, k := range keys.list {
		if hasKey(doc, k.Text) == decisive {
			return BoolOf(decisive), nil
		}
	}
	return BoolOf(!decisive), nil
}

func jsonContains(a, b Value) (Value, error) {
	x, err1 := parseJSON(a.Text)
	y, err2 := parseJSON(b.Text)
	if err := errors.Join(err1, err2); err != nil {
		return Value{}, err
	}
	if list, ok := x.([]any); ok && isScalar(y) {
		return BoolOf(slices.ContainsFunc(list, func(e any) bool { return jsonEqual(e, y) })), nil
	}
	return BoolOf(jsonWithin(x, y)), nil
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// jsonWithin reports whether y is within x as @> sees it.
func jsonWithin(x, y any) bool {
	switch y := y.(type) {
	case map[string]any:
		x, ok := x.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range y {
			if w, ok := x[k]; !ok || !jsonWithin(w, v) {
				return false
			}
		}
		return true
	case []any:
		x, ok := x.([]any)
		if !ok {
			return false
		}
		for _, want := range y {
			if !slices.ContainsFunc(x, func(e any) bool { return jsonWithin(e, want) }) {
				return false
			}
		}
		return true
	}
	return isScalar(x) && jsonEqual(x, y)
}

// jsonWithout is a document minus a key, keys, or an element.
func jsonWithout(a, b Value) (Value, error) {
	doc, err := parseJSON(a.Text)
	if err != nil {
		return Value{}, err
	}
	for _, k := range elems(b) {
		switch d := doc.(type) {
		case map[string]any:
			delete(d, k.Text)
		case []any:
			if k.Kind == IntValue {
				return Value{}, errors.New("a JSON array minus an index is not understood")
			}
			doc = slices.DeleteFunc(d, func(e any) bool { return e == any(k.Text) })
		default:
			return Value{}, errors.New("a JSON scalar minus a key")
		}
	}
	return JSONOf(jsonText(doc)), nil
}
