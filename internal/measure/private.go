package measure

import (
	"math"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/words"
)

var (
	emailShape  = regexp.MustCompile(`[\pL\pN._%+-]+@[\pL\pN-]+(\.[\pL\pN-]+)+`)
	phoneShape  = regexp.MustCompile(`^(\+|00|\(0|0)[\d ()/.-]{6,20}\d$|^\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$`)
	ibanShape   = regexp.MustCompile(`^[A-Z]{2}\d{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,3})?$`)
	digitsShape = regexp.MustCompile(`\d(?:[ -]?\d){12,18}`)
	tokenShape  = regexp.MustCompile(`^(eyJ[\w-]+\.[\w-]+|[A-Za-z]{2,8}[_-](live|test|prod)?_?[A-Za-z0-9]{16,}|(AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,}|xox[abp]-.*|\$2[aby]?\$.*|\$argon2.*|\$[156]\$.*|-----BEGIN .*)`)
	urlShape    = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^/\s]*:[^/\s]*@|[?&](token|key|secret|password|sig|signature|auth)=`)
	ssnShape    = regexp.MustCompile(`^\d{3}-\d{2}-\d{4}$`)
	longShape   = regexp.MustCompile(`^[A-Za-z0-9+/_=.-]{20,}$`)
)

// private says why a value must not be listed, whatever its column is called, as
// in "personal: email"; empty where nothing speaks against it.
func private(value string) string {
	v := strings.TrimSpace(value)
	if len(v) > 200 {
		return "free text"
	}
	digits := 0
	letters := 0
	for _, r := range v {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	switch {
	case strings.Contains(v, "@") && emailShape.MatchString(v):
		return "personal: email"
	case digits >= 7 && letters == 0 && phoneShape.MatchString(v) && !strings.Contains(v, ":"):
		return "personal: phone"
	case digits >= 9 && ssnShape.MatchString(v):
		return "personal: national number"
	case digits >= 10 && ibanShape.MatchString(v) && ibanHolds(v):
		return "personal: iban"
	case digits >= 13 && luhnInside(v):
		return "personal: card number"
	case digits >= 3 && isAddress(v):
		return "personal: address of a host"
	case len(v) >= 12 && tokenShape.MatchString(v), strings.ContainsAny(v, ":=") && urlShape.MatchString(v):
		return "secret: credential"
	case len(v) >= 20 && longShape.MatchString(v) && random(v):
		return "secret: key"
	case looksSecret(v):
		return "secret: credential"
	case isPerson(v):
		return "personal: name"
	case isFreeText(v):
		return "free text"
	}
	return ""
}

// looksSecret knows how the keys and tokens of well-known services begin.
func looksSecret(v string) bool {
	switch words.LooksPrivate([]byte(v)) {
	case "secret", "token", "url with credentials":
		return true
	}
	return false
}

// luhnInside reports whether a card number stands in the text.
func luhnInside(v string) bool {
	for _, m := range digitsShape.FindAllString(v, 4) {
		sum, n := 0, 0
		same := true
		for i := len(m) - 1; i >= 0; i-- {
			if m[i] < '0' || m[i] > '9' {
				continue
			}
			d := int(m[i] - '0')
			same = same && m[i] == m[len(m)-1]
			if n%2 == 1 {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
			n++
		}
		if sum%10 == 0 && !same {
			return true
		}
	}
	return false
}

// ibanHolds checks the digits of ISO 13616.
func ibanHolds(v string) bool {
	v = strings.ReplaceAll(v, " ", "")
	if len(v) < 15 || len(v) > 34 {
		return false
	}
	rest := 0
	for _, c := range v[4:] + v[:4] {
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}

// isAddress accepts what points to one machine of the world: no loopback address,
// no network of private use, no mask.
func isAddress(v string) bool {
	host, _, _ := strings.Cut(v, "/")
	a, err := netip.ParseAddr(host)
	return err == nil && !a.IsLoopback() && !a.IsUnspecified() && !a.IsPrivate() && !a.IsMulticast() && !strings.HasPrefix(v, "255.")
}

// random reports whether a run of characters looks drawn by chance: it has no
// words, and its entropy is near that of its alphabet.
func random(v string) bool {
	var counts [256]int
	digits, vowels, letters := 0, 0, 0
	for i := range len(v) {
		c := v[i]
		counts[c]++
		switch {
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte("aeiouAEIOU", c) >= 0:
			vowels++
			letters++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
		}
	}
	entropy := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(v))
			entropy -= p * math.Log2(p)
		}
	}
	if digits == len(v) {
		return entropy > 2.5
	}
	return entropy > 3 && digits > 0 && (digits*8 >= len(v) || vowels*5 < letters)
}

// isPerson reports whether a text looks like a person's name: two to four words
// with capitals, of which the first, or the one behind a comma, is a given name.
func isPerson(v string) bool {
	words := strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' || r == '\u00a0' })
	if len(words) < 2 || len(words) > 4 {
		return false
	}
	given := false
	for i, w := range words {
		r, _ := utf8.DecodeRuneInString(w)
		if !unicode.IsUpper(r) || strings.ContainsAny(w, "0123456789_/:") {
			return false
		}
		if i == 0 || i == len(words)-1 && strings.Contains(v, ",") {
			given = given || givenNames[strings.ToLower(strings.TrimRight(w, "."))]
		}
	}
	return given
}

// isFreeText reports whether a text is something that a person wrote.
func isFreeText(v string) bool {
	return strings.ContainsAny(v, "\n\r") || len(strings.Fields(v)) > 6 || utf8.RuneCountInString(v) > 100
}

// givenNames are common in many countries. They are no test of a name, but they
// keep the names of staff out, which many rows share.
var givenNames = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`
		aaron adam adrian ahmed alan albert alejandro alex alexander alice ali amanda amelia amy ana anders andrea andreas andrew angela anita ann anna anne
		anthony antonio arthur barbara ben benjamin bernd bill bob brian bruno carl carla carlos carmen caroline catherine cecilia charles charlotte chen chris christian
		christina christine christopher claire claudia daniel daniela david deborah diana diego dieter dmitri donald dorothy edward elena elisabeth elizabeth ella emil emily emma
		eric erik eva fatima fernando francesca francesco francisco frank franz fred gabriel george georg gerhard giovanni giulia gloria grace greg hanna hannah hans harry heather
		heinz helen helena henry hiroshi hugo ian igor ines ingrid irina isabel isabella ivan jack jacob jakob james jan jane jason javier jean jeff jennifer jens jessica joan joao
		johan johann johannes john jonas jorge jose josef joseph joshua juan julia julie jurgen jürgen karen karin karl kate katharina katherine kevin klaus lars laura lea lena leo
		linda lisa liam lucas lucia luis lukas luca magdalena manuel marco margaret maria marie mario mark markus marta martha martin mary matthew max maximilian mehmet mia michael michel
		miguel mike mohamed mohammed monica muhammad nancy natalia nicholas nicolas nicole nina noah nora olga oliver olivia oscar otto pablo pamela patricia patrick paul paula pedro
		peter petra philip philipp pierre rachel rafael ralf raymond rebecca richard robert roberto roger ronald rosa ruth ryan sabine samuel sandra sara sarah sebastian sergei sharon
		simon sofia sophia sophie stefan stephanie stephen steven susan susanne svetlana sven takashi teresa thomas tim tobias tom tomas uwe ulrich ursula valentina vera victor victoria
		vincent vladimir walter wei werner william wolfgang xavier yuki yusuf zoe`) {
		m[n] = true
	}
	return m
}()
