package synth

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// documents makes JSON documents of the structure that the profile has.
type documents struct{ shape *profile.DataJSON }

func (m *documents) put(v *rows.Vector, _ int, _ place, _ int, r uint64) {
	v.Data = appendJSON(v.Data, m.shape, r, 0)
}

func appendJSON(dst []byte, s *profile.DataJSON, r uint64, depth int) []byte {
	switch kind := pickShare(s.Kinds, unit(mix(r)), "object"); {
	case kind == "object" && depth < 8:
		dst = append(dst, '{')
		first := true
		for i := range s.Keys {
			k := &s.Keys[i]
			kr := mix(r + uint64(i)*0x9e37 + 11)
			if unit(kr) >= k.Share {
				continue
			}
			dst = appendKey(dst, k.Name, &first)
			dst = appendJSON(dst, &k.Value, mix(kr), depth+1)
		}
		if s.Open {
			for i := range 1 + r>>32%4 {
				dst = appendKey(dst, "k"+strconv.FormatUint(mix(r+i)%1000, 10), &first)
				dst = strconv.AppendUint(dst, mix(r+i+5)%100, 10)
			}
		}
		return append(dst, '}')
	case kind == "array" && depth < 8:
		n := 1
		if len(s.Length) > 0 {
			n = int(quantile(floats(s.Length), unit(mix(r+1))) + 0.5)
		}
		dst = append(dst, '[')
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			if s.Items != nil {
				dst = appendJSON(dst, s.Items, mix(r+uint64(i)+17), depth+1)
			} else {
				dst = strconv.AppendInt(dst, int64(i), 10)
			}
		}
		return append(dst, ']')
	case kind == "string":
		return appendScalarText(dst, s, r)
	case kind == "number":
		if val, ok := pickValue(s.Values, unit(mix(r+2))); ok {
			if _, err := strconv.ParseFloat(val, 64); err == nil {
				return append(dst, val...)
			}
		}
		x, scale := float64(mix(r+3)%1000), 0
		if s.Numbers != nil && len(s.Numbers.Quantiles) > 0 {
			x, scale = quantile(s.Numbers.Quantiles, unit(mix(r+3))), s.Numbers.Scale
		}
		if scale == 0 && math.Abs(x) < 1e15 {
			return strconv.AppendInt(dst, int64(math.RoundToEven(x)), 10)
		}
		return strconv.AppendFloat(dst, x, 'f', scale, 64)
	case kind == "bool":
		if val, ok := pickValue(s.Values, unit(mix(r+4))); ok && (val == "true" || val == "false") {
			return append(dst, val...)
		}
		return strconv.AppendBool(dst, r>>40&1 == 1)
	}
	return append(dst, "null"...)
}

// documentsOf are documents that a CHECK with these literals may be about: of each
// kind, and objects with the literals as keys.
func documentsOf(literals []string) []value {
	texts := []string{`{}`, `[]`, `[1]`, `[1,2,3]`, `"text"`, `1`, `true`, `null`}
	values := []string{`"text"`, `1`, `true`, `[1]`, `{}`}
	for _, l := range literals {
		values = append(values, string(appendQuoted(nil, []byte(l))))
	}
	for _, val := range values[:min(len(values), 40)] {
		object, first := []byte{'{'}, true
		for _, l := range literals {
			object = append(appendKey(object, l, &first), val...)
		}
		texts = append(texts, string(append(object, '}')))
	}
	out := make([]value, len(texts))
	for i, t := range texts {
		out[i].text = []byte(t)
	}
	return out
}

func appendKey(dst []byte, name string, first *bool) []byte {
	if !*first {
		dst = append(dst, ',')
	}
	*first = false
	return append(appendQuoted(dst, []byte(name)), ':')
}

func appendScalarText(dst []byte, s *profile.DataJSON, r uint64) []byte {
	if val, ok := pickValue(s.Values, unit(mix(r+2))); ok {
		return appendQuoted(dst, []byte(val))
	}
	var buf [64]byte
	text := buf[:0]
	chars := 8
	if s.Text != nil {
		if len(s.Text.Length) > 0 {
			chars = int(quantile(floats(s.Text.Length), unit(mix(r+5))) + 0.5)
		}
		if len(s.Text.Formats) > 0 {
			if f := pickShare(s.Text.Formats, unit(mix(r+6)), ""); f != "" && f != "word" && f != "sentence" {
				return appendQuoted(dst, words.FromFormat(text, f, r, chars))
			}
		}
	}
	return appendQuoted(dst, words.Filler(text, r, chars, max(1, chars/6), "Latin"))
}

// appendQuoted quotes a text as JSON wants it.
func appendQuoted(dst, text []byte) []byte {
	plain := true
	for _, b := range text {
		if b < 0x20 || b == '"' || b == '\\' || b >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(dst, '"'), text...), '"')
	}
	q, err := json.Marshal(string(text))
	if err != nil {
		panic("synth: internal error: " + err.Error())
	}
	return append(dst, q...)
}

// pickShare picks a name by its share; what the shares leave is the last resort.
func pickShare(shares []profile.DataShare, u float64, otherwise string) string {
	for _, s := range shares {
		if u < s.Share {
			return s.Name
		}
		u -= s.Share
	}
	if n := len(shares); n > 0 && u < 0.02 {
		return shares[n-1].Name
	}
	return otherwise
}

func pickValue(values []profile.DataValue, u float64) (string, bool) {
	for _, v := range values {
		if u < v.Share {
			return v.Value, true
		}
		u -= v.Share
	}
	return "", false
}
