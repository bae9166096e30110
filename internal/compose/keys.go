package compose

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// key is one key of a mapping of the Compose specification, as compose-go has
// it.
type key struct {
	name  string
	index []int // of the field
	typ   reflect.Type
}

// keysOf lists the keys of a struct of compose-go, sorted by name. Extensions
// are none.
func keysOf(t reflect.Type) []key {
	var keys []key
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" {
			// A few fields have a tag for JSON alone, or none.
			name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
			name = cmp.Or(name, strings.ToLower(f.Name))
		}
		switch {
		case !f.IsExported(), f.Type == reflect.TypeFor[types.Extensions](), name == "-":
		case f.Anonymous && strings.Contains(options, "inline"):
			for _, k := range keysOf(f.Type) {
				k.index = append([]int{i}, k.index...)
				keys = append(keys, k)
			}
		default:
			keys = append(keys, key{name, []int{i}, f.Type})
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(a.name, b.name) })
	return keys
}

// mapping is the struct that a value of the type holds or lists, if any: what
// has keys of its own.
func mapping(t reflect.Type) (reflect.Type, bool) {
	for {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			return t, true
		default:
			return nil, false
		}
	}
}

// elements are the structs that a value holds or lists: those of a map in the
// order of its keys.
func elements(v reflect.Value) []reflect.Value {
	var all []reflect.Value
	switch v.Kind() {
	case reflect.Struct:
		return []reflect.Value{v}
	case reflect.Pointer:
		if !v.IsNil() {
			all = elements(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, elements(v.Index(i))...)
		}
	case reflect.Map:
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for _, name := range names {
			all = append(all, elements(v.MapIndex(name))...)
		}
	}
	return all
}

// empty is true for what a file need not say: zero values, empty lists and maps,
// and false.
func empty(v reflect.Value) bool {
	if o, ok := v.Interface().(types.OptOut); ok {
		return o.IsZero()
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	if v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Bool {
		return !v.Elem().Bool()
	}
	return v.IsZero()
}

// texts are the words of a value that is a string or a list of strings.
func texts(v reflect.Value) []string {
	switch {
	case v.Kind() == reflect.String:
		return []string{v.String()}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		var all []string
		for i := range v.Len() {
			all = append(all, v.Index(i).String())
		}
		return all
	}
	return nil
}
