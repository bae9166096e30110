package words

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Formats names the format of a text, the first that it is of: "uuid", "email",
// "url", "ipv4", "ipv6", "iban", "json", "html", "timestamp", "date", "integer",
// "decimal", "phone", "path", "hex", "domain", "word", "slug", "base64",
// "sentence"; "" for none. It allocates nothing.
func Formats(value []byte) string {
	if len(value) == 0 || len(value) > 1<<20 {
		return ""
	}
	s := survey(value)
	switch {
	case len(value) == 36 && isUUID(value):
		return "uuid"
	case s.at == 1 && s.space == 0 && isEmail(value):
		return "email"
	case s.colon > 0 && s.space == 0 && isURL(value):
		return "url"
	case s.dot == 3 && isIPv4(value):
		return "ipv4"
	case s.colon >= 2 && isIPv6(value):
		return "ipv6"
	case s.upper >= 2 && isIBAN(value):
		return "iban"
	case value[0] == '{' && value[len(value)-1] == '}' && (s.colon > 0 || len(value) == 2) && looksJSON(value),
		value[0] == '[' && value[len(value)-1] == ']' && looksJSON(value):
		return "json"
	case s.less > 0 && isHTML(value):
		return "html"
	}
	if c := value[0]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '(' || c == '.' {
		if f := numeric(value, s); f != "" {
			return f
		}
	}
	switch {
	case len(value) >= 16 && value[len(value)-1] == '=' && isBase64(value, s):
		return "base64"
	case s.space == 0 && s.slash > 0 && s.other == 0 && isPath(value):
		return "path"
	case s.dot > 0 && s.space == 0 && isDomain(value):
		return "domain"
	case len(value) >= 8 && len(value)%2 == 0 && s.digit > 0 && isHex(value):
		return "hex"
	case s.letters == s.chars:
		return "word"
	case s.dash > 0 && isSlug(value):
		return "slug"
	case len(value) >= 16 && isBase64(value, s):
		return "base64"
	case s.space > 0 && s.letters >= s.chars/2:
		return "sentence"
	}
	return ""
}

// counts are how often classes of characters occur.
type counts struct {
	chars, letters, upper, digit, space, at, dot, colon, dash, slash, less, other int
}

func survey(value []byte) (s counts) {
	for i := 0; i < len(value); {
		s.chars++
		c := value[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(value[i:])
			i += n
			switch {
			case unicode.IsLetter(r) || unicode.IsMark(r):
				s.letters++
			case unicode.IsSpace(r):
				s.space++
			default:
				s.other++
			}
			continue
		}
		i++
		switch {
		case c >= 'a' && c <= 'z':
			s.letters++
		case c >= 'A' && c <= 'Z':
			s.letters++
			s.upper++
		case c >= '0' && c <= '9':
			s.digit++
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.space++
		case c == '@':
			s.at++
		case c == '.':
			s.dot++
		case c == ':':
			s.colon++
		case c == '-':
			s.dash++
		case c == '/':
			s.slash++
		case c == '<':
			s.less++
		case c < ' ' || c == 0x7f:
			s.other++
		}
	}
	return s
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isUUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isHexDigit(c) {
			return false
		}
	}
	return true
}

func isEmail(v []byte) bool {
	at := bytes.IndexByte(v, '@')
	if at < 1 || len(v) > 320 {
		return false
	}
	for _, c := range v[:at] {
		if !isAlnum(c) && c < utf8.RuneSelf && bytes.IndexByte([]byte(".!#$%&'*+/=?^_`{|}~-"), c) < 0 {
			return false
		}
	}
	return isDomain(v[at+1:])
}

func isDomain(v []byte) bool {
	if len(v) < 4 || len(v) > 253 || v[0] == '.' || v[0] == '-' {
		return false
	}
	last := bytes.LastIndexByte(v, '.')
	if last < 1 || len(v)-last < 3 {
		return false
	}
	for _, c := range v[last+1:] {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	for i, c := range v {
		if c == '.' && v[i-1] == '.' || !isAlnum(c) && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func isURL(v []byte) bool {
	i := bytes.Index(v, []byte("://"))
	if i < 2 || i > 12 || len(v) < i+4 {
		return false
	}
	for _, c := range v[:i] {
		if !isAlnum(c) && c != '+' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isIPv4(v []byte) bool {
	if i := bytes.IndexByte(v, '/'); i > 0 && len(v)-i <= 3 {
		v = v[:i]
	}
	parts, n, digits := 1, 0, 0
	for _, c := range v {
		switch {
		case c == '.':
			if digits == 0 {
				return false
			}
			parts++
			n, digits = 0, 0
		case c >= '0' && c <= '9':
			n = n*10 + int(c-'0')
			if digits++; digits > 3 || n > 255 {
				return false
			}
		default:
			return false
		}
	}
	return parts == 4 && digits > 0
}

func isIPv6(v []byte) bool {
	if i := bytes.IndexByte(v, '/'); i > 0 && len(v)-i <= 4 {
		v = v[:i]
	}
	if len(v) < 2 || len(v) > 45 {
		return false
	}
	groups, digits, double := 0, 0, false
	for i, c := range v {
		switch {
		case c == ':':
			if i > 0 && v[i-1] == ':' {
				if double {
					return false
				}
				double = true
			}
			if digits > 0 {
				groups++
			}
			digits = 0
		case isHexDigit(c):
			if digits++; digits > 4 {
				return false
			}
		default:
			return false
		}
	}
	if digits > 0 {
		groups++
	}
	return groups == 8 && !double || double && groups < 8 && groups > 0
}

func isIBAN(v []byte) bool {
	if len(v) < 15 || len(v) > 42 || v[0] < 'A' || v[0] > 'Z' || v[1] < 'A' || v[1] > 'Z' {
		return false
	}
	var bare [34]byte
	n := 0
	for _, c := range v {
		if c == ' ' {
			continue
		}
		if n == len(bare) {
			return false
		}
		bare[n] = c
		n++
	}
	return n >= 15 && bare[2] >= '0' && bare[2] <= '9' && bare[3] >= '0' && bare[3] <= '9' && mod97(bare[:n]) == 1
}

// looksJSON reports whether brackets and quotes are balanced as in JSON, which
// is cheaper than parsing and wrong only for what is almost JSON.
func looksJSON(v []byte) bool {
	depth, quoted, escaped := 0, false, false
	for i, c := range v {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth < 0 || depth == 0 && i < len(v)-1 {
				return false
			}
		case c > ' ' && !isAlnum(c) && c != ',' && c != ':' && c != '.' && c != '-' && c != '+':
			return false
		}
	}
	return depth == 0 && !quoted
}

func isHTML(v []byte) bool {
	for {
		i := bytes.IndexByte(v, '<')
		if i < 0 || i+1 >= len(v) {
			return false
		}
		v = v[i+1:]
		c := v[0]
		end := bytes.IndexByte(v, '>')
		if end < 0 {
			return false
		}
		if (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/' || c == '!') && end > 0 {
			return true
		}
	}
}

func isHex(v []byte) bool {
	if len(v) > 2 && (v[1] == 'x') && (v[0] == '\\' || v[0] == '0') {
		v = v[2:]
	}
	for _, c := range v {
		if !isHexDigit(c) {
			return false
		}
	}
	return len(v) > 0
}

func isPath(v []byte) bool {
	if v[0] != '/' && v[0] != '.' && v[0] != '~' && !isAlnum(v[0]) {
		return false
	}
	for _, c := range v {
		if !isAlnum(c) && c < utf8.RuneSelf && bytes.IndexByte([]byte("/._-~:%@+,="), c) < 0 {
			return false
		}
	}
	return v[0] == '/' || v[0] == '.' || v[0] == '~' || bytes.IndexByte(v, '.') > 0 || bytes.IndexByte(v, '/') > 0
}

func isSlug(v []byte) bool {
	for i, c := range v {
		if c == '-' && (i == 0 || i == len(v)-1) || c != '-' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}

// isBase64 wants padding, or letters of both cases and digits.
func isBase64(v []byte, s counts) bool {
	bare := bytes.TrimRight(v, "=")
	if len(v)-len(bare) > 2 || len(bare) < len(v) && len(v)%4 != 0 {
		return false
	}
	for _, c := range bare {
		if !isAlnum(c) && c != '+' && c != '/' && c != '-' && c != '_' {
			return false
		}
	}
	return len(bare) < len(v) || s.upper > 1 && s.letters-s.upper > 1 && s.digit > 0
}

// numeric is the format of what begins like a number.
func numeric(v []byte, s counts) string {
	if s.other > 0 {
		return ""
	}
	rest := v
	if v[0] == '-' || v[0] == '+' && s.chars < 8 {
		rest = v[1:]
	}
	if s.digit == len(rest) && s.digit > 0 {
		return "integer"
	}
	if s.dot == 1 && s.digit == len(rest)-1 && s.digit > 0 {
		return "decimal"
	}
	if isDate(v) {
		switch {
		case len(v) == 10:
			return "date"
		case len(v) >= 16 && (v[10] == ' ' || v[10] == 'T') && s.colon >= 1 && s.letters <= 5 && len(v) < 40:
			return "timestamp"
		}
	}
	if isPhone(v, s) {
		return "phone"
	}
	return ""
}

func isDate(v []byte) bool {
	if len(v) < 10 || v[4] != '-' && v[4] != '/' || v[7] != v[4] {
		return false
	}
	for i, c := range v[:10] {
		if i != 4 && i != 7 && (c < '0' || c > '9') {
			return false
		}
	}
	month := (v[5]-'0')*10 + v[6] - '0'
	day := (v[8]-'0')*10 + v[9] - '0'
	return month <= 12 && day <= 31
}

// isPhone wants seven to fifteen digits and nothing but what parts them.
func isPhone(v []byte, s counts) bool {
	if s.digit < 7 || s.digit > 15 || len(v) > 24 {
		return false
	}
	for i, c := range v {
		switch {
		case c >= '0' && c <= '9', c == ' ', c == '-', c == '(', c == ')', c == '.', c == '/':
		case c == '+' && i == 0:
		default:
			return false
		}
	}
	return v[0] == '+' || v[0] == '0' || v[0] == '(' || s.space+s.dash+s.dot >= 2 && s.digit >= 9
}
