package likeness

import (
	"bytes"
	"unicode/utf8"
)

// format is a coarse kind of text, by which free texts are compared.
type format int32

const (
	formatEmpty format = iota
	formatInteger
	formatDecimal
	formatHex
	formatUUID
	formatEmail
	formatURL
	formatDate
	formatJSON
	formatPath
	formatIdentifier // letters, digits and -_. without a space
	formatWord
	formatWords
	formatOther
	formatCount
)

var formatNames = [formatCount]string{"empty", "integer", "decimal", "hex", "uuid", "email", "url", "date", "json", "path", "identifier", "word", "words", "other"}

// formatOf looks at which characters a text has.
func formatOf(text []byte) format {
	if len(text) == 0 {
		return formatEmpty
	}
	var digits, letters, hex, marks, spaces, ats, points, rest int
	for _, r := range string(text) {
		switch {
		case r >= '0' && r <= '9':
			digits++
			hex++
		case r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F':
			letters++
			hex++
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf:
			letters++
		case r == '.':
			points++
		case r == '-' || r == '_':
			marks++
		case r == ' ':
			spaces++
		case r == '@':
			ats++
		default:
			rest++
		}
	}
	n := utf8.RuneCount(text)
	signed := text[0] == '-'
	switch {
	case digits == n || signed && digits == n-1 && digits > 0:
		return formatInteger
	case points == 1 && (digits == n-1 || signed && digits == n-2) && digits > 0:
		return formatDecimal
	case n == 36 && hex == 32 && marks == 4:
		return formatUUID
	case hex == n && digits > 0 && n >= 8 && n%2 == 0:
		return formatHex
	case ats == 1 && points > 0 && spaces == 0:
		return formatEmail
	case bytes.Contains(text, []byte("://")) && spaces == 0:
		return formatURL
	case text[0] == '{' && text[len(text)-1] == '}' || text[0] == '[' && text[len(text)-1] == ']':
		return formatJSON
	case n >= 10 && digits >= 8 && text[4%len(text)] == '-' && text[7%len(text)] == '-':
		return formatDate
	case text[0] == '/' && spaces == 0:
		return formatPath
	case letters == n:
		return formatWord
	case digits+letters+marks+points == n:
		return formatIdentifier
	case spaces > 0 && letters > 0:
		return formatWords
	}
	return formatOther
}
