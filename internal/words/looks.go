package words

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// LooksPrivate says what private thing a value looks like: "email", "phone",
// "iban", "card", "token", "secret", "ip", "url with credentials" or "name"; ""
// when none. It looks inside of longer texts for e-mail addresses, IBANs, card
// numbers and keys. "name" is two frequent names beside each other, so that most
// names are not found. It allocates nothing.
func LooksPrivate(value []byte) string {
	if len(value) < 4 {
		return ""
	}
	for _, mark := range secretMarks {
		if i := bytes.Index(value, mark); i == 0 || i > 0 && !isAlnum(value[i-1]) {
			return "secret"
		}
	}
	if hasCredentials(value) {
		return "url with credentials"
	}
	switch Formats(value) {
	case "email":
		return "email"
	case "phone":
		return "phone"
	case "iban":
		return "iban"
	case "ipv4", "ipv6":
		return "ip"
	case "url":
		return inside(value)
	}
	if isToken(value) {
		return "token"
	}
	if what := inside(value); what != "" {
		return what
	}
	if isName(value) {
		return "name"
	}
	return ""
}

// secretMarks are how keys and tokens of well-known kinds begin.
var secretMarks = [][]byte{
	[]byte("-----BEGIN "), []byte("AKIA"), []byte("ASIA"), []byte("ghp_"), []byte("gho_"), []byte("github_pat_"), []byte("glpat-"), []byte("xoxb-"), []byte("xoxp-"),
	[]byte("sk_live_"), []byte("sk_test_"), []byte("rk_live_"), []byte("sk-ant-"), []byte("sk-proj-"), []byte("AIza"), []byte("ya29."), []byte("SG."), []byte("eyJ"), []byte("ssh-rsa "), []byte("ssh-ed25519 "),
	[]byte("$2a$"), []byte("$2b$"), []byte("$2y$"), []byte("$argon2"), []byte("$6$"), []byte("$5$"), []byte("$pbkdf2"), []byte("pbkdf2_"), []byte("{SSHA}"), []byte("{bcrypt}"), []byte(":pbkdf2:"), []byte("SCRAM-SHA-"),
}

// hasCredentials reports whether there is scheme://user:password@ in the text.
func hasCredentials(v []byte) bool {
	i := bytes.Index(v, []byte("://"))
	if i < 1 {
		return false
	}
	v = v[i+3:]
	colon := -1
	for j, c := range v {
		switch c {
		case ':':
			if colon < 0 {
				colon = j
			}
		case '@':
			return colon >= 0
		case '/', '?', '#', ' ', '\n':
			return false
		}
	}
	return false
}

// isToken reports whether a value is one long run that no person would write:
// hexadecimal, or letters of both cases mixed with digits.
func isToken(v []byte) bool {
	if len(v) < 20 || len(v) > 4096 {
		return false
	}
	if isUUID(v) {
		return false
	}
	hex := true
	var upper, lower, digit, changes int
	var last byte
	for _, c := range v {
		hex = hex && isHexDigit(c)
		class := byte(0)
		switch {
		case c >= 'a' && c <= 'z':
			lower++
			class = 'a'
		case c >= 'A' && c <= 'Z':
			upper++
			class = 'A'
		case c >= '0' && c <= '9':
			digit++
			class = '9'
		case c == '-' || c == '_' || c == '+' || c == '/' || c == '=' || c == '.' || c == '~':
			class = last
		default:
			return false
		}
		if class != last {
			changes++
			last = class
		}
	}
	if hex && len(v) >= 24 && digit > 0 && digit < len(v) {
		return true
	}
	return upper > 1 && lower > 1 && digit > 1 && changes > len(v)/4
}

// inside looks for e-mail addresses, IBANs and card numbers in a text.
func inside(v []byte) string {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '@' && i > 0 && i+4 < len(v):
			from, to := i, i+1
			for from > 0 && (isAlnum(v[from-1]) || v[from-1] == '.' || v[from-1] == '_' || v[from-1] == '-' || v[from-1] == '+' || v[from-1] >= utf8.RuneSelf) {
				from--
			}
			for to < len(v) && (isAlnum(v[to]) || v[to] == '.' || v[to] == '-') {
				to++
			}
			for to > i && v[to-1] == '.' {
				to--
			}
			if from < i && isDomain(v[i+1:to]) {
				return "email"
			}
		case c >= '0' && c <= '9' && (i == 0 || !isAlnum(v[i-1]) && v[i-1] != '.'):
			if n, ok := card(v[i:]); ok {
				return "card"
			} else if n > 1 {
				i += n - 1
			}
		case c >= 'A' && c <= 'Z' && (i == 0 || !isAlnum(v[i-1])) && i+15 <= len(v) && v[i+2] >= '0' && v[i+2] <= '9':
			to := i
			for to < len(v) && to < i+42 && (isAlnum(v[to]) || v[to] == ' ') {
				to++
			}
			for ; to-i >= 15; to-- {
				if isIBAN(v[i:to]) && (to == len(v) || !isAlnum(v[to])) {
					return "iban"
				}
			}
		}
	}
	return ""
}

// card reports whether the text begins with a card number: 13 to 19 digits, with
// spaces or dashes between groups, a known first digit, and a right check digit.
// The number is that of the characters looked at.
func card(v []byte) (int, bool) {
	var digits [19]byte
	n, i := 0, 0
	for ; i < len(v); i++ {
		c := v[i]
		if c >= '0' && c <= '9' {
			if n == len(digits) {
				return i, false
			}
			digits[n] = c
			n++
			continue
		}
		if (c == ' ' || c == '-') && i+1 < len(v) && v[i+1] >= '0' && v[i+1] <= '9' {
			continue
		}
		break
	}
	if i < len(v) && (isAlnum(v[i]) || v[i] == '.' && i+1 < len(v) && v[i+1] >= '0' && v[i+1] <= '9') {
		return i, false
	}
	ok := n >= 13 && n <= 19 && digits[0] >= '3' && digits[0] <= '6' && luhn(digits[:n], false) == 0
	return i, ok && !sameDigits(digits[:n])
}

func sameDigits(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// isName reports whether a value is two or three words of letters, of which the
// first is a frequent given name and the last a frequent family name.
func isName(v []byte) bool {
	if len(v) > 60 || bytes.IndexByte(v, ' ') < 0 {
		return false
	}
	first, last, n := 0, 0, 1
	for i, c := range v {
		switch {
		case c == ' ':
			if n == 1 {
				first = i
			}
			n++
			last = i + 1
		case c < utf8.RuneSelf && !isAlnum(c) && c != '.' && c != '-' && c != '\'':
			return false
		case c >= '0' && c <= '9':
			return false
		}
	}
	r, _ := utf8.DecodeRune(v)
	if n > 3 || unicode.IsLower(r) {
		return false
	}
	known := knownNames()
	return known.given[string(v[:first])] && known.family[string(v[last:])] ||
		known.family[string(v[:first])] && known.given[string(v[last:])]
}
