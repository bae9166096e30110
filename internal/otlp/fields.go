package otlp

import "encoding/binary"

// fields reads the fields of a message one after the other. It stops early where
// the bytes are malformed: who has to know that has called [check] before.
//
// Loops declare a pointer to one, which stays on the stack: each turn of a for has a
// variable of its own, and to copy the struct took more time than to read a field.
type fields struct {
	b    []byte // what is left
	num  int    // of the field
	typ  wire
	n    uint64 // its value, of a varint or fixed
	data []byte // its value, of wireBytes
}

// next reads a field, and reports whether there was one.
func (f *fields) next() bool {
	end := len(f.b)
	if end == 0 {
		return false
	}
	tag, i := uint64(f.b[0]), 1
	if tag >= 0x80 {
		if tag, i = varint(f.b, 0, end); i < 0 {
			return f.stop()
		}
	}
	f.num, f.typ = int(tag>>3), wire(tag&7)
	switch f.typ {
	case wireBytes:
		size, start := varint(f.b, i, end)
		if start < 0 || size > uint64(end-start) {
			return f.stop()
		}
		i = start + int(size)
		f.data = f.b[start:i]
	case wireVarint:
		if f.n, i = varint(f.b, i, end); i < 0 {
			return f.stop()
		}
	case wireFixed64:
		if end-i < 8 {
			return f.stop()
		}
		f.n = binary.LittleEndian.Uint64(f.b[i:])
		i += 8
	case wireFixed32:
		if end-i < 4 {
			return f.stop()
		}
		f.n = uint64(binary.LittleEndian.Uint32(f.b[i:]))
		i += 4
	default:
		return f.stop()
	}
	f.b = f.b[i:]
	return true
}

func (f *fields) stop() bool {
	f.b = nil
	return false
}

// is reports whether the field is number num with a value of the wire type.
func (f *fields) is(num int, typ wire) bool { return f.num == num && f.typ == typ }
