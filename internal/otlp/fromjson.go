package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// FromJSON writes an OTLP/JSON request as protobuf. It takes 64-bit integers also
// as numbers, enums also as names, and base64 with either alphabet; null is like
// nothing, and what is not in the schema is skipped. The error is a [*Malformed]
// with the offset in j.
//
// It builds no tree: what it holds is in proportion to j.
func FromJSON(j []byte, signal Signal) ([]byte, error) {
	if !json.Valid(j) {
		return nil, syntaxFault(j)
	}
	r := jsonReader{j: j}
	out := r.message(make([]byte, 0, len(j)), signal.request(), 0)
	if r.fault != nil {
		return nil, r.fault
	}
	return out, nil
}

func syntaxFault(j []byte) *Malformed {
	fault := &Malformed{In: "JSON", Reason: "is no JSON"}
	var raw json.RawMessage
	err := json.Unmarshal(j, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		fault.Offset, fault.Reason = int(syntax.Offset), syntax.Error()
	}
	return fault
}

// jsonReader goes through valid JSON once. After a fault, what it gives has no
// meaning, and it goes on only as far as it must.
type jsonReader struct {
	j     []byte
	i     int
	fault *Malformed
}

func (r *jsonReader) fail(in, reason string, args ...any) {
	if r.fault == nil {
		r.fault = &Malformed{Offset: r.i, In: in, Reason: fmt.Sprintf(reason, args...)}
	}
}

// peek is the first byte of what comes next.
func (r *jsonReader) peek() byte {
	for r.i < len(r.j) {
		switch c := r.j[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

// each calls element for each element of an array or object, which comes next and
// begins with the given bracket.
func (r *jsonReader) each(in string, bracket byte, element func()) {
	if r.peek() != bracket {
		r.fail(in, "%c is due", bracket)
		return
	}
	r.i++
	if c := r.peek(); c == ']' || c == '}' {
		r.i++
		return
	}
	for {
		if element(); r.fault != nil {
			return
		}
		r.peek()
		r.i++ // a comma or the closing bracket
		if r.j[r.i-1] != ',' {
			return
		}
	}
}

// message appends the fields of message of, whose object comes next.
func (r *jsonReader) message(out []byte, of messageID, depth int) []byte {
	m := &schema[of]
	if of == msgAnyValue {
		if depth++; depth > MaxDepth {
			r.fail(m.name, "nested deeper than %d levels", MaxDepth)
			return out
		}
	}
	r.each(m.name, '{', func() {
		key := r.string()
		r.peek()
		r.i++ // the colon
		num := m.number(key)
		switch {
		case num < 0:
			r.skip()
		case r.peek() == 'n':
			r.skip()
		case m.fields[num].repeated:
			out = r.list(out, m, num, depth)
		case m.fields[num].kind == kindMessage:
			out = r.nested(out, m, num, depth)
		default:
			fd := &m.fields[num]
			out = r.scalar(appendTag(out, num, fd.kind.wire()), m, fd)
		}
	})
	return out
}

// number is that of the field with a name in JSON, or -1.
func (m *message) number(name []byte) int {
	for num := range m.fields {
		if m.fields[num].kind != kindNone && m.fields[num].name == string(name) {
			return num
		}
	}
	return -1
}

func (r *jsonReader) nested(out []byte, m *message, num, depth int) []byte {
	out, place := open(out, num)
	if r.peek() == 'n' {
		r.skip()
		return out // null in a list: an empty message
	}
	return shut(r.message(out, m.fields[num].of, depth), place)
}

func (r *jsonReader) list(out []byte, m *message, num, depth int) []byte {
	fd := &m.fields[num]
	in := m.in(fd)
	if !fd.packable() {
		r.each(in, '[', func() {
			if fd.kind == kindMessage {
				out = r.nested(out, m, num, depth)
				return
			}
			out = r.scalar(appendTag(out, num, fd.kind.wire()), m, fd)
		})
		return out
	}
	out, place := open(out, num)
	r.each(in, '[', func() { out = r.scalar(out, m, fd) })
	return shut(out, place)
}

// scalar appends the value that comes next, without a tag.
func (r *jsonReader) scalar(out []byte, m *message, fd *field) []byte {
	switch c := r.peek(); {
	case c == '{' || c == '[' || c == 'n' || (c == 't' || c == 'f') != (fd.kind == kindBool):
		r.fail(m.in(fd), "has a value of the wrong type")
		return out
	case c == 't' || c == 'f':
		r.skip()
		if c == 't' {
			return append(out, 1)
		}
		return append(out, 0)
	case fd.kind.wire() == wireBytes && c != '"':
		r.fail(m.in(fd), "a string is due")
		return out
	}
	at := r.i
	var token []byte
	if r.j[at] == '"' {
		token = r.string()
	} else {
		r.skip()
		token = r.j[at:r.i]
	}
	out, reason := appendScalar(out, fd, token)
	if reason != "" {
		r.i = at
		r.fail(m.in(fd), "%s: %s", clip(token), reason)
	}
	return out
}

func clip(token []byte) string {
	if len(token) > 40 {
		return strconv.Quote(string(token[:40])) + "…"
	}
	return strconv.Quote(string(token))
}

// appendScalar gives as well what is wrong with the token, or nothing.
func appendScalar(out []byte, fd *field, token []byte) ([]byte, string) {
	switch fd.kind {
	case kindString:
		return appendLength(out, bytes.ToValidUTF8(token, []byte("\uFFFD"))), ""
	case kindBytes:
		decoded, err := base64.RawStdEncoding.DecodeString(standard(token))
		if err != nil {
			return out, "is no base64"
		}
		return appendLength(out, decoded), ""
	case kindTrace, kindSpan:
		size := fd.kind.idSize()
		id, err := hex.DecodeString(string(token))
		if err != nil || len(id) != size && len(id) != 0 {
			return out, fmt.Sprintf("%d hexadecimal digits are due", 2*size)
		}
		return appendLength(out, id), ""
	case kindDouble:
		v, ok := parseDouble(token)
		if !ok {
			return out, "is no double"
		}
		return binary.LittleEndian.AppendUint64(out, math.Float64bits(v)), ""
	case kindUint32, kindFixed32, kindUint64, kindFixed64:
		return appendUnsigned(out, fd.kind, token)
	}
	return appendSigned(out, fd, token)
}

func appendLength(out, v []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(v))), v...)
}

// standard turns base64 of either alphabet into the standard one without padding.
func standard(token []byte) string {
	return strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(string(token), "="))
}

func appendUnsigned(out []byte, k kind, token []byte) ([]byte, string) {
	bits := 64
	if k == kindUint32 || k == kindFixed32 {
		bits = 32
	}
	v, err := strconv.ParseUint(string(token), 10, bits)
	if err != nil {
		whole, ok := parseWhole(token, 0, math.Ldexp(1, bits))
		if !ok {
			return out, fmt.Sprintf("is no unsigned integer of %d bits", bits)
		}
		v = uint64(whole)
	}
	switch k {
	case kindFixed32:
		return binary.LittleEndian.AppendUint32(out, uint32(v)), ""
	case kindFixed64:
		return binary.LittleEndian.AppendUint64(out, v), ""
	}
	return binary.AppendUvarint(out, v), ""
}

func appendSigned(out []byte, fd *field, token []byte) ([]byte, string) {
	bits := 32
	if fd.kind == kindInt64 || fd.kind == kindSfixed64 {
		bits = 64
	}
	v, err := strconv.ParseInt(string(token), 10, bits)
	if named := slices.Index(fd.names, string(token)); named >= 0 {
		v = int64(named)
	} else if err != nil {
		limit := math.Ldexp(1, bits-1)
		whole, ok := parseWhole(token, -limit, limit)
		switch {
		case !ok && fd.kind == kindEnum:
			return out, "is neither a number nor a name of the enum"
		case !ok:
			return out, fmt.Sprintf("is no integer of %d bits", bits)
		}
		v = int64(whole)
	}
	switch fd.kind {
	case kindSint32:
		return binary.AppendUvarint(out, zigzag(int32(v))), ""
	case kindSfixed64:
		return binary.LittleEndian.AppendUint64(out, uint64(v)), ""
	}
	return binary.AppendUvarint(out, uint64(v)), ""
}

// parseWhole reads a whole number that is written as 1.0 or 1e3, from low to
// below high.
func parseWhole(token []byte, low, high float64) (float64, bool) {
	v, err := strconv.ParseFloat(string(token), 64)
	return v, err == nil && v == math.Trunc(v) && v >= low && v < high
}

func parseDouble(token []byte) (float64, bool) {
	switch string(token) {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	v, err := strconv.ParseFloat(string(token), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// string reads the string that comes next.
func (r *jsonReader) string() []byte {
	r.peek()
	start := r.i
	r.skip()
	quoted := r.j[start:r.i]
	if !bytes.ContainsRune(quoted, '\\') {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		r.fail("JSON", "%v", err)
	}
	return []byte(s)
}

// skip goes over the value that comes next.
func (r *jsonReader) skip() {
	r.peek()
	for depth := 0; r.i < len(r.j); {
		switch r.j[r.i] {
		case '"':
			r.skipString()
		case '{', '[':
			depth++
			r.i++
		case '}', ']':
			depth--
			r.i++
		case ' ', '\t', '\n', '\r', ',', ':':
			r.i++
			continue
		default:
			r.skipWord()
		}
		if depth == 0 {
			return
		}
	}
}

func (r *jsonReader) skipString() {
	for r.i++; r.i < len(r.j); r.i++ {
		switch r.j[r.i] {
		case '\\':
			r.i++
		case '"':
			r.i++
			return
		}
	}
}

// skipWord goes over a number or a literal.
func (r *jsonReader) skipWord() {
	for r.i++; r.i < len(r.j); r.i++ {
		switch r.j[r.i] {
		case ' ', '\t', '\n', '\r', ',', ':', '}', ']':
			return
		}
	}
}
