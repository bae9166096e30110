package words

import (
	"slices"
	"strings"
	"sync"
)

// locale is what a language's and a country's values are made from.
type locale struct {
	code    string // "de"
	tag     string // "de_DE"
	country string // two letters
	land    string // the country's own name
	male    []name // frequent first
	female  []name
	family  []name
	// familyFirst: the family name comes first; joined: without a space.
	familyFirst, joined bool
	places              []place
	streets             []string
	// number first: "12 High Street"; else "Hauptstraße 12".
	numberFirst bool
	codeFirst   bool   // the postal code stands before the city
	phone       string // # is any digit, the number being one that is kept for fiction
	companyEnds []string
	nouns       []string // of the language
	verbs       []string
	adjectives  []string
	stop        string // that ends a sentence
	noSpace     bool   // words are not parted by spaces
}

// name is a name, as women bear it where that differs, and both in ASCII.
type name struct {
	native, female string
	latin          string
}

// place is a city and what belongs to it.
type place struct {
	city, region, postal string // # is a digit, @ a letter
	lat, lon             int    // in ten thousandths of a degree
}

// locales are all of them, English first.
var locales = sync.OnceValue(func() []*locale {
	var out []*locale
	for i := range sources {
		out = append(out, sources[i].locale())
	}
	return out
})

// source is a locale as it is written down: lists are words, "_" being a space.
type source struct {
	code, country, land     string
	male, female, family    string // NATIVE, NATIVE/latin, or MALE:FEMALE
	places                  string // city|region|postal|lat|lon, by line
	streets                 string
	numberFirst, codeFirst  bool
	phone                   string
	ends                    string
	nouns, verbs, adjective string
	familyFirst, joined     bool
	stop                    string
	noSpace                 bool
}

func (s *source) locale() *locale {
	l := &locale{code: s.code, tag: s.code + "_" + s.country, country: s.country, land: s.land,
		male: names(s.male), female: names(s.female), family: names(s.family),
		familyFirst: s.familyFirst, joined: s.joined, places: places(s.places), streets: list(s.streets),
		numberFirst: s.numberFirst, codeFirst: s.codeFirst, phone: s.phone, companyEnds: list(s.ends),
		nouns: list(s.nouns), verbs: list(s.verbs), adjectives: list(s.adjective), stop: s.stop, noSpace: s.noSpace}
	if l.stop == "" {
		l.stop = "."
	}
	return l
}

// list cuts a list of words.
func list(s string) []string {
	out := strings.Fields(s)
	for i, w := range out {
		out[i] = strings.ReplaceAll(w, "_", " ")
	}
	return out
}

// names cuts a list of names, each once.
func names(s string) []name {
	var out []name
	seen := map[string]bool{}
	for _, w := range list(s) {
		native, latin, ok := strings.Cut(w, "/")
		native, female, gendered := strings.Cut(native, ":")
		if !gendered {
			female = native
		}
		if !ok {
			latin = ascii(native)
		}
		if seen[latin] {
			continue
		}
		seen[latin] = true
		out = append(out, name{native: native, female: female, latin: latin})
	}
	return out
}

func places(s string) []place {
	var out []place
	for line := range strings.Lines(s) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 5 {
			continue
		}
		out = append(out, place{city: f[0], region: f[1], postal: f[2], lat: tenThousandths(f[3]), lon: tenThousandths(f[4])})
	}
	return out
}

// tenThousandths reads a number with two digits behind the point.
func tenThousandths(s string) int {
	sign := 1
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	n := 0
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n = n*10 + int(r-'0')
		}
	}
	return sign * n * 100
}

// LocalesFor picks locales by the shares of Unicode's scripts, as in "Latin" or
// "Han", the commonest first; never none. Latin alone does not tell which
// language, and gives English and the bigger European ones.
func LocalesFor(scripts map[string]float64) []string {
	type pick struct {
		script string
		codes  []string
	}
	picks := []pick{
		{"Latin", []string{"en", "de", "fr", "es"}}, {"Cyrillic", []string{"ru", "uk"}}, {"Greek", []string{"el"}},
		{"Arabic", []string{"ar"}}, {"Hebrew", []string{"he"}}, {"Devanagari", []string{"hi"}},
		{"Hiragana", []string{"ja"}}, {"Katakana", []string{"ja"}}, {"Hangul", []string{"ko"}}, {"Han", []string{"zh"}},
	}
	const least = 0.02
	japanese := scripts["Hiragana"]+scripts["Katakana"] > scripts["Han"]/4
	var out []string
	var shares []float64
	for _, p := range picks {
		share := scripts[p.script]
		if share < least || p.script == "Han" && japanese {
			continue
		}
		for _, c := range p.codes {
			i := len(out)
			for i > 0 && shares[i-1] < share {
				i--
			}
			if slices.Contains(out, c) {
				continue
			}
			out, shares = slices.Insert(out, i, c), slices.Insert(shares, i, share)
		}
	}
	if len(out) == 0 {
		return []string{"en"}
	}
	return out
}

// chosen are the locales with the codes, "de" or "de_DE"; those that nobody knows
// are left out, and English stands in for none.
func chosen(codes []string) []*locale {
	var out []*locale
	for _, code := range codes {
		language, _, _ := strings.Cut(strings.ReplaceAll(code, "-", "_"), "_")
		for _, l := range locales() {
			if l.code == language {
				out = append(out, l)
				break
			}
		}
	}
	if len(out) == 0 {
		out = locales()[:1]
	}
	return out
}
