package spans

import "github.com/rehearse-dev/rehearse/internal/wire/postgres"

// statements remember what statements are without their literals. Clients that
// write numbers into their statements write a new one each time: of those that
// differ in numbers alone, one is remembered.
type statements struct {
	known map[string]postgres.Statement
	key   []byte
}

// How many are remembered, and up to which length: what is longer has values
// written into it, and does not come again.
const (
	maxStatements = 4096
	maxRemembered = 4 << 10
)

// normal is a statement without its literals.
func (s *statements) normal(sql string) postgres.Statement {
	if sql == "" {
		return postgres.Statement{}
	}
	if len(sql) > maxRemembered {
		return postgres.Normal(sql)
	}
	s.key = withoutNumbers(s.key[:0], sql)
	n, known := s.known[string(s.key)]
	if known {
		return n
	}
	n = postgres.Normal(sql)
	if len(s.known) >= maxStatements {
		clear(s.known)
	}
	s.known[string(s.key)] = n
	return n
}

// withoutNumbers appends a statement with 0 in the place of each run of digits
// that no word or parameter holds. In a string or a comment that would be wrong,
// so what may have one stays as it is.
func withoutNumbers(b []byte, sql string) []byte {
	start := len(b)
	word := false // the last byte was of a word, a parameter or a number
	for i := 0; i < len(sql); i++ {
		c := sql[i]
		switch {
		case c == '\'' || c == '"' || c == '-' || c == '/' || c == '$' && !isDigit(sql, i+1):
			return append(b[:start], sql...)
		case c >= '0' && c <= '9' && !word:
			b = append(b, '0')
			for isDigit(sql, i+1) {
				i++
			}
			word = true
			continue
		}
		b = append(b, c)
		word = c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	return b
}

func isDigit(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
