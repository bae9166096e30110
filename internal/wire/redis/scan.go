package redis

// word is the beginning of an argument or of a string of an answer.
type word struct {
	text [32]byte
	n    int
}

// add takes more of it, as long as there is room.
func (w *word) add(p []byte) { w.n += copy(w.text[w.n:], p) }

func (w *word) bytes() []byte { return w.text[:w.n] }

// is compares with a word in capital letters.
func (w *word) is(upper string) bool {
	if w.n != len(upper) {
		return false
	}
	for i, c := range w.bytes() {
		if capital(c) != upper[i] {
			return false
		}
	}
	return true
}

func capital(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// call follows one command through the bytes and keeps the beginnings of its
// first words. The zero value stands in front of one.
type call struct {
	state callState
	n     int64 // the number on the line, or what is left of the data
	chars int   // of the line so far
	count int   // arguments, the name included
	left  int   // of them
	words [3]word
}

type callState byte

const (
	callStart callState = iota
	callInline
	callCount    // behind *
	callCountEnd // its line feed is to come
	callType
	callSize
	callSizeEnd
	callData
	callDataEnd // the rest of CR LF
)

// begun reports whether it stands in the middle of a command.
func (c *call) begun() bool { return c.state != callStart }

// next takes as much of p as belongs to the command. It reports whether the
// command ends there, and whether it is one so far.
func (c *call) next(p []byte) (n int, done, ok bool) {
	for i := 0; i < len(p); {
		b := p[i]
		switch c.state {
		case callStart:
			*c = call{}
			switch {
			case b == '*':
				c.state = callCount
			case b == '\r' || b == '\n' || b == ' ' || b|0x20 >= 'a' && b|0x20 <= 'z':
				c.state = callInline
				continue
			default:
				return i, false, false
			}
		case callInline:
			if b == '\n' {
				c.state = callStart
				return i + 1, true, true
			}
			if !c.letter(b) {
				return i, false, false
			}
		case callCount, callSize:
			if !c.number(b) {
				return i, false, false
			}
		case callCountEnd:
			if b != '\n' {
				return i, false, false
			}
			c.state, c.left = callType, c.count
			if c.count <= 0 {
				c.count, c.state = 0, callStart
				return i + 1, true, true
			}
		case callType:
			if b != '$' {
				return i, false, false
			}
			c.state, c.n, c.chars = callSize, 0, 0
		case callSizeEnd:
			if b != '\n' {
				return i, false, false
			}
			c.state = callData
			if c.n == 0 {
				c.state, c.n = callDataEnd, 2
			}
		case callData:
			part := p[i : i+int(min(c.n, int64(len(p)-i)))]
			if at := c.count - c.left; at < len(c.words) {
				c.words[at].add(part)
			}
			i += len(part)
			if c.n -= int64(len(part)); c.n == 0 {
				c.state, c.n = callDataEnd, 2
			}
			continue
		case callDataEnd:
			k := min(c.n, int64(len(p)-i))
			i += int(k)
			if c.n -= k; c.n > 0 {
				continue
			}
			c.state = callType
			if c.left--; c.left == 0 {
				c.state = callStart
				return i, true, true
			}
			continue
		}
		i++
	}
	return len(p), false, true
}

// letter takes a byte of an inline command. Its words are between spaces; quotes
// around them are left on.
func (c *call) letter(b byte) bool {
	if b <= ' ' {
		c.chars = 0
		return true
	}
	if c.chars == 0 {
		c.count++
	}
	c.chars++
	if c.count <= len(c.words) {
		c.words[c.count-1].add([]byte{b})
	}
	c.n++
	return c.n <= maxInline
}

// maxInline is Redis's own bound.
const maxInline = 64 << 10

// number takes a byte of a line with a number.
func (c *call) number(b byte) bool {
	switch {
	case b >= '0' && b <= '9' && c.chars < 12:
		c.n = 10*c.n + int64(b-'0')
	case b == '-' && c.chars == 0 && c.state == callCount:
		c.left = -1
	case b == '\r' && c.chars > 0 && c.state == callSize:
		c.state = callSizeEnd
	case b == '\r' && c.chars > 0:
		if c.left < 0 {
			c.n = -c.n
		}
		c.state, c.count = callCountEnd, int(min(c.n, maxArguments+1))
		return c.count <= maxArguments
	default:
		return false
	}
	c.chars++
	return true
}

// name is the command's name in capital letters, with its subcommand where it is
// a container of such.
func (c *call) name(b []byte) []byte {
	b = appendName(b, &c.words[0])
	if c.count > 1 && c.contains() {
		b = appendName(append(b, ' '), &c.words[1])
	}
	return b
}

// appendName appends a word in capital letters. What cannot be in a name is not
// shown.
func appendName(b []byte, w *word) []byte {
	for _, c := range w.bytes() {
		c = capital(c)
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' || c == '|') {
			c = '?'
		}
		b = append(b, c)
	}
	return b
}

// contains reports whether the command is one of those whose first argument is a
// command of its own.
func (c *call) contains() bool {
	var b [len(word{}.text)]byte
	switch string(appendName(b[:0], &c.words[0])) {
	case "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO":
		return true
	}
	return false
}
