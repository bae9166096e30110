package artifact

import (
	"bytes"
	"math"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Detect finds the artifacts of a value, which is in the server's text form and
// not NULL. Times later than now are in the future.
func Detect(t schema.Type, value []byte, now time.Time) Set {
	switch t.Kind {
	case schema.Text:
		return inText(t, value)
	case schema.Int, schema.Float, schema.Decimal:
		return inNumber(t, value)
	case schema.Date, schema.Timestamp, schema.Instant:
		return inTime(t, value, now)
	case schema.JSON:
		return inJSON(value)
	case schema.Array:
		return inArray(value)
	}
	return 0
}

func inText(t schema.Type, v []byte) Set {
	if len(v) == 0 {
		return isEmpty
	}
	var s Set
	chars := 0
	digits := true
	for i := 0; i < len(v); {
		c := v[i]
		chars++
		if c < utf8.RuneSelf {
			digits = digits && c >= '0' && c <= '9'
			switch {
			case c == '\n' || c == '\r':
				s |= isLineBreak
			case c < ' ' && c != '\t' || c == 0x7f:
				s |= isControl
			case c == '\'' || c == '"' || c == '\\' || c == '%':
				s |= isQuoting
			case c == '&':
				if entity(v[i:]) {
					s |= isHTMLEntity
				}
			case c == ' ' && i > 0 && v[i-1] == ' ' && i+1 < len(v):
				s |= isDoubleSpace
			}
			i++
			continue
		}
		digits = false
		r, n := utf8.DecodeRune(v[i:])
		next := rune(0)
		if i+n < len(v) {
			next, _ = utf8.DecodeRune(v[i+n:])
		}
		before := rune(0)
		if r >= 0x300 && r <= 0x36f {
			before, _ = utf8.DecodeLastRune(v[:i])
		}
		s |= ofRune(before, r, next)
		i += n
	}
	if white(v[0]) {
		s |= isLeadingSpace
	}
	if white(v[len(v)-1]) && !t.Fixed {
		s |= isTrailingSpace
	}
	if digits && len(v) > 1 && v[0] == '0' {
		s |= isLeadingZero
	}
	if t.Length > 0 && !t.Fixed && chars == t.Length {
		s |= isAtLimit
	}
	if len(v) <= 9 && nullWord(v) {
		s |= isNullWord
	}
	return s
}

func white(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// ofRune is the artifact of a character beyond ASCII between two others.
func ofRune(before, r, next rune) Set {
	switch {
	case r == utf8.RuneError:
		return isReplacement
	case r < 0xa0:
		return isControl
	case r == 0xa0 || r == 0x202f:
		return isNoBreakSpace
	case (r == 'Ã' || r == 'Â' || r == 'Ð' || r == 'Ñ') && next >= 0x80 && next <= 0xbf, r == 'â' && next == '€':
		return isMojibake
	case r >= 0x300 && r <= 0x36f && unicode.IsLetter(before):
		return isDecomposed
	case r == 0x200b || r == 0x2060 || r == 0xfeff:
		return isZeroWidth
	case r >= 0x590 && r <= 0x8ff || r == 0x200f || r == 0x202e || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfefc:
		return isRightToLeft
	case r >= 0x1f000 && r <= 0x1faff || r >= 0x2600 && r <= 0x27bf || r == 0x2b50:
		return isEmoji
	}
	return 0
}

// entity reports whether a text begins with an HTML entity.
func entity(v []byte) bool {
	for i := 1; i < len(v) && i < 10; i++ {
		c := v[i]
		switch {
		case c == ';':
			return i > 1 && (v[1] != '#' || i > 2)
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9' && i > 1, c == '#' && i == 1:
		default:
			return false
		}
	}
	return false
}

// nullWords are how people write that there is nothing.
var nullWords = []string{"-", "N/A", "NULL", "n/a", "null", "none", "--", "(null)", "undefined", "nil", "?"}

func nullWord(v []byte) bool {
	for _, w := range nullWords {
		if len(v) != len(w) {
			continue
		}
		same := true
		for i := range v {
			if lower(v[i]) != lower(w[i]) {
				same = false
				break
			}
		}
		if same {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// nearness is how far from the last number of 32 bits is near.
const nearness = 1 << 20

func inNumber(t schema.Type, v []byte) Set {
	if len(v) == 0 {
		return 0
	}
	f, ok := number(v)
	switch {
	case !ok:
		return 0
	case math.IsNaN(f):
		return isNaN
	case math.IsInf(f, 0):
		return isInfinity
	}
	var s Set
	if f < 0 {
		s |= isNegative
	}
	switch f {
	case -1, 99999, 999999, math.MaxInt32:
		s |= isSentinel
	}
	size := t.Size
	if t.Kind != schema.Int {
		size = 0
	}
	if a := math.Abs(f); (size == 0 || size >= 4) && a >= math.MaxInt32-nearness && a <= math.MaxInt32+1 || size == 8 && a >= math.MaxInt64*0.99 {
		s |= isNearOverflow
	}
	return s
}

// number reads a number in the server's text form.
func number(v []byte) (float64, bool) {
	f, err := strconv.ParseFloat(string(v), 64)
	return f, err == nil
}

func inTime(t schema.Type, v []byte, now time.Time) Set {
	c, ok := readClock(v)
	if !ok {
		return 0
	}
	switch {
	case c.infinite:
		return isInfinity
	case c.month == 0 || c.day == 0 || c.year == 0 && !c.bc:
		return isZeroDate
	case c.bc:
		return isBefore1900
	case c.year == 1 && c.month == 1 && c.day == 1:
		return isYearOne
	}
	var s Set
	micros := c.micros()
	sharp := t.Kind != schema.Date && c.inDay == 0
	switch {
	case micros == 0:
		return isEpoch
	case c.year >= 2100:
		s |= isFarFuture
	case micros > now.UnixMicro():
		s |= isFuture
	case c.year < 1900:
		s |= isBefore1900
	}
	if sharp {
		s |= isMidnight
	}
	return s
}

// inJSON looks at the document as a whole, at the strings in it, and at the keys
// of its outermost object.
func inJSON(v []byte) Set {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		return 0
	}
	if string(v) == "null" {
		return isJSONNull
	}
	var s Set
	if v[0] == '{' && repeats(v) {
		s |= isDuplicateKeys
	}
	for i := 0; i < len(v); {
		if v[i] != '"' {
			i++
			continue
		}
		end := stringEnd(v, i)
		if document(v[i:end]) {
			s |= isStringifiedJSON
		}
		i = end
	}
	return s
}

// document reports whether a JSON string holds an object or array.
func document(quoted []byte) bool {
	if len(quoted) < 4 {
		return false
	}
	in := quoted[1 : len(quoted)-1]
	return in[0] == '{' && in[len(in)-1] == '}' && (len(in) == 2 || bytes.Contains(in, []byte(`\"`))) ||
		in[0] == '[' && in[len(in)-1] == ']' && (bytes.Contains(in, []byte(`\"`)) || len(in) > 2 && in[1] >= '0' && in[1] <= '9' && bytes.IndexByte(in, ',') > 0)
}

// stringEnd is where the string that begins at i ends.
func stringEnd(v []byte, i int) int {
	for j := i + 1; j < len(v); j++ {
		switch v[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(v)
}

// repeats reports whether the outermost object has one of its first keys twice.
func repeats(v []byte) bool {
	var keys [48][]byte
	n, depth := 0, 0
	key := false
	for i := 0; i < len(v); {
		switch v[i] {
		case '{', '[':
			depth++
			key = depth == 1
			i++
		case '}', ']':
			depth--
			i++
		case ',':
			key = depth == 1
			i++
		case '"':
			end := stringEnd(v, i)
			if key && depth == 1 {
				for _, k := range keys[:n] {
					if bytes.Equal(k, v[i:end]) {
						return true
					}
				}
				if n < len(keys) {
					keys[n] = v[i:end]
					n++
				}
				key = false
			}
			i = end
		default:
			i++
		}
	}
	return false
}

// inArray looks for a NULL that is not in quotes.
func inArray(v []byte) Set {
	for i := 0; i+4 < len(v); {
		switch {
		case v[i] == '"':
			i = stringEnd(v, i)
			continue
		case (v[i] == '{' || v[i] == ',') && string(v[i+1:i+5]) == "NULL" && i+5 < len(v) && (v[i+5] == ',' || v[i+5] == '}'):
			return isNullElement
		}
		i++
	}
	return 0
}
