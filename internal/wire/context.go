package wire

import "encoding/hex"

// ContextSize is the length of what [AppendContext] appends.
const ContextSize = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// ParseContext reads the value of a traceparent header (W3C Trace Context,
// section 3.2). Of a version above 00 it reads the fields that 00 has. Version
// ff, identifiers of zeros and digits in capital letters are not valid. It
// allocates nothing.
func ParseContext(value []byte) (Context, bool) {
	var c Context
	var version, flags [1]byte
	if len(value) < ContextSize || value[2] != '-' || value[35] != '-' || value[52] != '-' ||
		!unhex(version[:], value[:2]) || !unhex(c.Trace[:], value[3:35]) || !unhex(c.Span[:], value[36:52]) || !unhex(flags[:], value[53:55]) {
		return Context{}, false
	}
	if n := len(value); version[0] == 0xff || version[0] == 0 && n > ContextSize || n > ContextSize && value[ContextSize] != '-' {
		return Context{}, false
	}
	c.Sampled = flags[0]&1 == 1
	return c.whole()
}

// ParseB3 reads the value of Zipkin's header b3, which has all in one:
// "trace-span", "trace-span-sampled" or "trace-span-sampled-parent". A value that
// tells no more than whether to sample has no context. It allocates nothing.
func ParseB3(value []byte) (Context, bool) {
	var c Context
	trace := c.Trace[:]
	if len(value) > 16 && value[16] == '-' {
		trace = trace[8:] // as short as they were at first
	}
	n := 2 * len(trace)
	if len(value) < n+17 || value[n] != '-' || !unhex(trace, value[:n]) || !unhex(c.Span[:], value[n+1:n+17]) {
		return Context{}, false
	}
	c.Sampled = true // or put off: then it is the receiver's to decide
	if rest := value[n+17:]; len(rest) > 0 {
		if len(rest) < 2 || rest[0] != '-' || len(rest) > 2 && (len(rest) != 19 || rest[2] != '-') {
			return Context{}, false
		}
		c.Sampled = rest[1] == '1' || rest[1] == 'd'
		if !c.Sampled && rest[1] != '0' {
			return Context{}, false
		}
	}
	return c.whole()
}

// AppendContext appends the value of a traceparent header of version 00. The
// identifiers must not be zero.
func AppendContext(b []byte, c Context) []byte {
	b = hex.AppendEncode(append(b, "00-"...), c.Trace[:])
	b = hex.AppendEncode(append(b, '-'), c.Span[:])
	if c.Sampled {
		return append(b, "-01"...)
	}
	return append(b, "-00"...)
}

// whole is the context if both identifiers are there.
func (c Context) whole() (Context, bool) {
	if c.Trace == [16]byte{} || c.Span == [8]byte{} {
		return Context{}, false
	}
	return c, true
}

// unhex reads digits in small letters, two for each byte.
func unhex(b, digits []byte) bool {
	for i := range b {
		high, low := digit(digits[2*i]), digit(digits[2*i+1])
		if high|low > 0xf {
			return false
		}
		b[i] = high<<4 | low
	}
	return true
}

func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
