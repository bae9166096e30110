package words

import (
	"slices"
	"strings"
	"unicode"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Guess names the meaning of a column, or gives "" where the names do not say.
//
// The column's name is cut into words (snake_case, camelCase, and what the
// dictionary can cut), the table's own name or an abbreviation of it is taken
// off the front, and the longest ending that the dictionary has decides. So
// user_email_token is a token and email_template nothing. What a mere "name" or
// "address" is depends on the table. The comment is asked where the name says
// nothing. A meaning that the type cannot hold is not given.
func Guess(table, column string, t schema.Type, comment string) Meaning {
	tableWords := split(table)
	all := split(column)
	if len(all) == 0 {
		return byComment(comment, t)
	}
	columnWords := all
	if rest := withoutTable(table, tableWords, all); len(rest) > 0 {
		columnWords = rest
	}
	if m := byType(columnWords, t); m != "" {
		return m
	}
	if whole := strings.Join(all, ""); len(columnWords) < len(all) {
		for _, m := range dictionary()[whole] {
			if m.fits(t) && plausible(m, t) {
				return m
			}
		}
	}
	for _, w := range [][]string{columnWords, all, trimmed(columnWords)} {
		if m := lookUp(tableWords, w, t); m != "" {
			return m
		}
	}
	for _, e := range endings {
		if strings.HasSuffix(all[len(all)-1], e.word) && e.meaning.fits(t) && plausible(e.meaning, t) {
			return e.meaning
		}
	}
	return byComment(comment, t)
}

// byType is the meaning that follows from the type whatever the name.
func byType(column []string, t schema.Type) Meaning {
	switch {
	case t.Kind == schema.UUID:
		return UUID
	case t.Kind == schema.JSON:
		return JSON
	case t.Kind == schema.Inet && (t.Name == "macaddr" || t.Name == "macaddr8"):
		return MAC
	case t.Kind == schema.Inet && slices.Contains(column, "ipv6"):
		return IPv6
	case t.Kind == schema.Inet:
		return IPv4
	}
	return ""
}

// lookUp finds the longest ending of the words that has a meaning.
func lookUp(table, column []string, t schema.Type) Meaning {
	for i := range column {
		key := strings.Join(column[i:], "")
		if m := inContext(table, column[:i], key); m != "" {
			if m.fits(t) && plausible(m, t) {
				return m
			}
			return ""
		}
		for _, m := range dictionary()[key] {
			if m.fits(t) && plausible(m, t) {
				return m
			}
		}
	}
	return ""
}

// plausible reports whether a bounded type has room for the meaning.
func plausible(m Meaning, t schema.Type) bool {
	if t.Kind != schema.Text || t.Length == 0 {
		return true
	}
	switch m {
	case Email, URL, FullAddress, UserAgent, Description, Paragraph, JSON, HTML, XML, PasswordHash, APIKey:
		return t.Length >= 16
	case FullName, Company, Comment, Sentence, TitleText, Hostname, Path, FileName:
		return t.Length >= 10
	case IBAN:
		return t.Length >= 22
	case CreditCard:
		return t.Length >= 13
	case MD5:
		return t.Length >= 32
	case SHA1:
		return t.Length >= 40
	case SHA256:
		return t.Length >= 64
	}
	return true
}

// inContext is the meaning of words that mean one thing in one place and another
// elsewhere. before are the words in front of the ending.
func inContext(table, before []string, key string) Meaning {
	last := ""
	for len(before) > 0 && strings.Trim(before[len(before)-1], "0123456789") == "" {
		before = before[:len(before)-1]
	}
	if len(before) > 0 {
		last = before[len(before)-1]
	} else if len(table) > 0 {
		last = table[len(table)-1]
	}
	owner := kindOf(last)
	if owner == "" && len(before) == 0 {
		for _, w := range table {
			if owner = kindOf(w); owner != "" {
				break
			}
		}
	}
	switch key {
	case "name", "displayname", "nameci", "label", "nom", "nombre", "nome", "bezeichnung", "naam", "nameupper":
		switch owner {
		case person:
			return FullName
		case organisation:
			return Company
		case file:
			return FileName
		case host:
			return Hostname
		case city:
			return City
		case country:
			return Country
		case region:
			return Region
		case domain:
			return Domain
		case path:
			return Path
		}
		return NameOfThing
	case "address", "addr", "adresse", "direccion", "endereco", "adres", "indirizzo":
		if owner == host {
			return Hostname
		}
		if owner == network {
			return IPv4
		}
		return ""
	case "text":
		if last == "comment" || last == "comments" || last == "note" || last == "review" {
			return Comment
		}
		return ""
	case "title":
		if owner == person {
			return Title
		}
		return TitleText
	case "code":
		switch owner {
		case country:
			return CountryCode
		case money:
			return Currency
		}
		return ""
	case "number", "no", "num", "nr", "nummer", "numero", "ref", "reference", "key":
		switch last {
		case "order", "orders", "purchase", "bestellung":
			if len(before) > 0 || key != "key" {
				return OrderNumber
			}
		case "invoice", "invoices", "bill", "rechnung":
			return InvoiceNumber
		}
		return ""
	}
	return ""
}

// owner is what a word names, as far as the meaning of its name goes.
type owner string

const (
	person       owner = "person"
	organisation owner = "organisation"
	file         owner = "file"
	host         owner = "host"
	network      owner = "network"
	city         owner = "city"
	country      owner = "country"
	region       owner = "region"
	domain       owner = "domain"
	path         owner = "path"
	money        owner = "money"
)

func kindOf(word string) owner {
	if o := owners()[word]; o != "" {
		return o
	}
	return owners()[strings.TrimSuffix(word, "s")]
}

// trimmed takes off what only numbers or qualifies a name: address_2, url_a,
// email_new.
func trimmed(w []string) []string {
	for len(w) > 1 {
		last := w[len(w)-1]
		if len(last) == 1 && last != "x" && last != "y" || slices.Contains(qualifiers, last) || strings.Trim(last, "0123456789") == "" {
			w = w[:len(w)-1]
			continue
		}
		break
	}
	return w
}

var qualifiers = []string{"value", "text", "string", "str", "new", "old", "raw", "orig", "original", "full", "primary", "secondary", "main", "alt", "one", "two", "clean", "normalized", "normalised", "canonical", "lower", "ci", "bin", "en", "de", "fr"}

// split cuts a name into lower-case words.
func split(name string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	runes := []rune(name)
	digit := false
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0:
			lowerBefore := unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1])
			lowerBehind := i+1 < len(runes) && unicode.IsLower(runes[i+1]) && unicode.IsUpper(runes[i-1])
			if lowerBefore || lowerBehind {
				flush()
			}
		}
		digit = unicode.IsDigit(r)
		if digit && b.Len() > 0 && i+1 == len(runes) && !joined[strings.ToLower(b.String())] {
			flush()
		}
		b.WriteRune(fold(unicode.ToLower(r)))
	}
	flush()
	return out
}

// joined are words that a digit at the end belongs to.
var joined = map[string]bool{"ipv": true, "md": true, "sha": true, "sha25": true, "sha51": true, "base6": true, "iso": true, "line": true, "x": true, "y": true}

// withoutTable takes the table's name, or an abbreviation, off the front.
func withoutTable(table string, tableWords, column []string) []string {
	if len(column) < 2 || len(tableWords) == 0 {
		return column
	}
	n := 0
	for n < len(column)-1 && n < len(tableWords) && (column[n] == tableWords[n] || column[n]+"s" == tableWords[n]) {
		n++
	}
	if n > 0 {
		return column[n:]
	}
	bare := strings.ToLower(table)
	first := column[0]
	if len(dictionary()[first]) > 0 || kindOf(first) != "" || len(first) > 8 {
		return column
	}
	initials := ""
	for _, w := range tableWords {
		initials += w[:1]
	}
	if first == initials || len(first) <= 4 && subsequence(first, bare) {
		return column[1:]
	}
	return column
}

// subsequence reports whether the letters of short stand in long in order, the
// first being the same.
func subsequence(short, long string) bool {
	if short == "" || long == "" || short[0] != long[0] {
		return false
	}
	i := 0
	for j := 0; j < len(long) && i < len(short); j++ {
		if long[j] == short[i] {
			i++
		}
	}
	return i == len(short)
}

// byComment looks for the dictionary's longer words in a comment of at most a
// line.
func byComment(comment string, t schema.Type) Meaning {
	if comment == "" || len(comment) > 200 {
		return ""
	}
	w := split(comment)
	for n := 3; n > 0; n-- {
		for i := 0; i+n <= len(w); i++ {
			key := strings.Join(w[i:i+n], "")
			if len(key) < 4 || len(w) > 1 && n == 1 && vague[key] {
				continue
			}
			for _, m := range dictionary()[key] {
				if m.fits(t) && plausible(m, t) {
					return m
				}
			}
		}
	}
	return ""
}

// vague are words that stand in comments about anything.
var vague = map[string]bool{"name": true, "number": true, "value": true, "text": true, "code": true, "type": true, "state": true, "status": true,
	"title": true, "description": true, "comment": true, "address": true, "host": true, "path": true, "file": true, "data": true, "content": true,
	"message": true, "total": true, "version": true, "note": true, "notes": true, "user": true, "login": true, "count": true, "order": true, "label": true, "place": true, "area": true, "body": true, "link": true, "server": true}
