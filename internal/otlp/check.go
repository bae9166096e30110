package otlp

import (
	"encoding/binary"
	"fmt"
)

// check reads all of message id, which lies in b from i to end. Nil says that
// [fields] can go through it, and through every message in it, to the end.
// The depth is how many AnyValues are around it.
func check(b []byte, i, end int, id messageID, depth int) *Malformed {
	m := &schema[id]
	if id == msgAnyValue {
		if depth++; depth > MaxDepth {
			return &Malformed{i, m.name, fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
		}
	}
	for i < end {
		at := i
		tag := uint64(b[i])
		if i++; tag >= 0x80 {
			if tag, i = varint(b, at, end); i < 0 {
				return &Malformed{at, m.name, "a field's number is cut short or too long"}
			}
		}
		num, typ := tag>>3, wire(tag&7)
		if num == 0 || num > 1<<29-1 {
			return &Malformed{at, m.name, fmt.Sprintf("%d is no number of a field", num)}
		}
		f := &none
		if num < uint64(len(m.fields)) {
			f = &m.fields[num]
		}
		if f.kind != kindNone && typ != f.kind.wire() && (typ != wireBytes || !f.packable()) {
			return &Malformed{at, m.name + "." + f.name, fmt.Sprintf("has wire type %d", typ)}
		}
		if typ != wireBytes {
			if i = skip(b, i, end, typ); i < 0 {
				return &Malformed{at, m.in(f), "is cut short, or a value of none of the wire types"}
			}
			continue
		}
		size, start := varint(b, i, end)
		if start < 0 || size > uint64(end-start) {
			return &Malformed{at, m.in(f), "is longer than what is around it"}
		}
		i = start + int(size)
		switch f.kind {
		case kindNone, kindString, kindBytes:
		case kindMessage:
			if fault := check(b, start, i, f.of, depth); fault != nil {
				return fault
			}
		case kindTrace, kindSpan:
			if want := f.kind.idSize(); size != 0 && int(size) != want {
				return &Malformed{at, m.in(f), fmt.Sprintf("has %d bytes: %d are due", size, want)}
			}
		default:
			for start < i {
				if start = skip(b, start, i, f.kind.wire()); start < 0 {
					return &Malformed{at, m.in(f), "a packed value is cut short"}
				}
			}
		}
	}
	return nil
}

var none field

func (m *message) in(f *field) string {
	if f.kind == kindNone {
		return m.name
	}
	return m.name + "." + f.name
}

// varint reads a varint at i, and gives the index behind it, or -1.
func varint(b []byte, i, end int) (uint64, int) {
	if i < end && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return longVarint(b, i, end)
}

func longVarint(b []byte, i, end int) (uint64, int) {
	v, n := binary.Uvarint(b[i:end])
	if n <= 0 {
		return 0, -1
	}
	return v, i + n
}

// skip goes over a value of a wire type other than wireBytes, and gives the index
// behind it, or -1. Groups, which proto3 has none of, are malformed.
func skip(b []byte, i, end int, typ wire) int {
	switch typ {
	case wireVarint:
		_, i = varint(b, i, end)
	case wireFixed64:
		i += 8
	case wireFixed32:
		i += 4
	default:
		return -1
	}
	if i > end {
		return -1
	}
	return i
}
