package measure

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/artifact"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Bounds of what is kept of texts.
const (
	maxShapes      = 500  // that are counted at a time
	maxShapeLength = 60   // of texts whose shape is taken
	maxAnalysed    = 4096 // bytes of a text that are looked at
	maxListed      = 30   // shapes that are listed
)

// textShape gathers what texts look like.
type textShape struct {
	n       int64
	length  map[int]int64
	words   map[int]int64
	formats map[string]int64
	shapes  map[string]int64
	scripts map[string]int64
	letters int64
}

func (t *textShape) add(value string, weight int64) {
	if t.length == nil {
		t.length, t.words = map[int]int64{}, map[int]int64{}
		t.formats, t.shapes, t.scripts = map[string]int64{}, map[string]int64{}, map[string]int64{}
	}
	t.n += weight
	t.length[coarse(utf8.RuneCountInString(value))] += weight
	if len(value) > maxAnalysed {
		value = strings.ToValidUTF8(value[:maxAnalysed], "")
	}
	t.words[coarse(len(strings.Fields(value)))] += weight
	if f := formatOf(value); f != "" {
		t.formats[f] += weight
	}
	if value != "" && utf8.RuneCountInString(value) <= maxShapeLength {
		if s := shapeOf(value); s != "" {
			t.shapes[s] += weight
			for len(t.shapes) > maxShapes {
				prune(t.shapes)
			}
		}
	}
	if s := scriptOf(value); s != "" {
		t.scripts[s] += weight
		t.letters += weight
	}
}

// coarse keeps three digits of long lengths, so that few are told apart.
func coarse(n int) int {
	step := 1
	for n/step >= 1000 {
		step *= 10
	}
	return n / step * step
}

// prune takes the rarer half away.
func prune(counts map[string]int64) {
	all := make([]int64, 0, len(counts))
	for _, n := range counts {
		all = append(all, n)
	}
	slices.Sort(all)
	middle := all[len(all)/2]
	for s, n := range counts {
		if n <= middle {
			delete(counts, s)
		}
	}
}

func (t *textShape) profile(k int64, n *noise) *profile.DataText {
	if t.n == 0 {
		return nil
	}
	out := &profile.DataText{Length: wholeQuantiles(t.length, k), Formats: shares(t.formats, t.n, n, k), Scripts: shares(t.scripts, t.letters, n, k)}
	if words := wholeQuantiles(t.words, k); len(words) > 0 && words[len(words)-1] > 1 {
		out.Words = words
	}
	for _, s := range shares(t.shapes, t.n, n, k) {
		if len(out.Shapes) < maxListed {
			out.Shapes = append(out.Shapes, profile.DataValue{Value: s.Name, Share: s.Share})
		}
	}
	return out
}

// shares are those counts that at least k rows make up, the most common first.
func shares(counts map[string]int64, of int64, n *noise, k int64) []profile.DataShare {
	type entry struct {
		name string
		n    float64
	}
	var all []entry
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if c := n.count(counts[name]); c >= n.threshold(k) {
			all = append(all, entry{name, c})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name)) })
	var out []profile.DataShare
	for _, e := range all {
		out = append(out, profile.DataShare{Name: e.name, Share: shareOf(e.n, of)})
	}
	return out
}

// shapeOf writes A for letters in upper case, a for those in lower case and
// others, 9 for digits, and leaves the rest, runs of more than four as A+, a+ and
// 9+. It is empty where the rest would tell something: letters and digits of no
// class, and what cannot be seen, are not kept.
func shapeOf(v string) string {
	var b strings.Builder
	var class rune
	run := 0
	end := func() {
		if run == 0 {
			return
		}
		if run > 4 {
			b.WriteRune(class)
			b.WriteByte('+')
		} else {
			b.WriteString(strings.Repeat(string(class), run))
		}
		run = 0
	}
	for _, r := range v {
		c := rune(0)
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			c = 'A'
		case unicode.IsLetter(r) || unicode.IsMark(r):
			c = 'a'
		case unicode.IsDigit(r):
			c = '9'
		case r == ' ' || r < unicode.MaxASCII && unicode.IsPrint(r):
			end()
			class = 0
			b.WriteRune(r)
			continue
		default:
			return ""
		}
		if c != class {
			end()
			class = c
		}
		run++
	}
	end()
	return b.String()
}

var formats = []struct {
	name  string
	needs string // what stands in every such text; empty: nothing
	is    *regexp.Regexp
}{
	{"uuid", "-", regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)},
	{"email", "@", regexp.MustCompile(`^[^\s@]+@[^\s@]+\.[^\s@]+$`)},
	{"url", "://", regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://\S+$`)},
	{"iban", "", ibanShape},
	{"timestamp", ":", regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d`)},
	{"date", "", regexp.MustCompile(`^(\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4})$`)},
	{"ipv4", ".", regexp.MustCompile(`^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(/\d+)?$`)},
	{"integer", "", regexp.MustCompile(`^[+-]?(0|[1-9]\d{0,17})$`)},
	{"decimal", "", regexp.MustCompile(`^[+-]?\d+[.,]\d+$`)},
	{"phone", "", phoneShape},
	{"hex", "", regexp.MustCompile(`^(0x)?([0-9a-f]{2}){4,}$|^([0-9A-F]{2}){4,}$`)},
	{"base64", "=", regexp.MustCompile(`^(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$`)},
	{"html", "<", regexp.MustCompile(`(?s)<[a-zA-Z!/][^>]*>`)},
	{"path", "", regexp.MustCompile(`^(/|\./|\.\./|[A-Za-z]:\\)\S*$|^[\w.-]+(/[\w.-]+)+$`)},
	{"domain", ".", regexp.MustCompile(`^([a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9])?\.)+[a-z]{2,18}$`)},
	{"slug", "", regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)+$`)},
	{"word", "", regexp.MustCompile(`^\pL+$`)},
}

// formatOf is the format that a text has as a whole.
func formatOf(v string) string {
	if len(v) == 0 {
		return ""
	}
	if c := v[0]; (c == '{' || c == '[') && json.Valid([]byte(v)) {
		return "json"
	}
	if strings.Contains(v, ":") && len(v) < 50 {
		host, _, _ := strings.Cut(v, "/")
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			return "ipv6"
		}
	}
	spaced := strings.Contains(v, " ")
	for _, f := range formats {
		if spaced && f.name != "html" && f.name != "timestamp" && f.name != "phone" && f.name != "iban" {
			continue
		}
		if strings.Contains(v, f.needs) && f.is.MatchString(v) {
			return f.name
		}
	}
	if len(strings.Fields(v)) >= 4 {
		return "sentence"
	}
	return ""
}

// scriptOf is the script of the first letter that is not Latin, or Latin.
func scriptOf(v string) string {
	latin := false
	for _, r := range v {
		if r < unicode.MaxASCII {
			latin = latin || r|0x20 >= 'a' && r|0x20 <= 'z'
			continue
		}
		if !unicode.IsLetter(r) {
			continue
		}
		if unicode.Is(unicode.Latin, r) {
			latin = true
			continue
		}
		for _, s := range scriptNames {
			if unicode.Is(unicode.Scripts[s], r) {
				return s
			}
		}
	}
	if latin {
		return "Latin"
	}
	return ""
}

var scriptNames = []string{"Cyrillic", "Greek", "Han", "Hiragana", "Katakana", "Hangul", "Arabic", "Hebrew", "Devanagari", "Thai", "Bengali", "Tamil",
	"Georgian", "Armenian", "Ethiopic", "Khmer", "Telugu", "Gujarati"}

// addBytes counts binary data, of which the length alone is kept: shown is how
// long its text is, "\x" and two digits a byte.
func (t *textShape) addBytes(shown int, weight int64) {
	if t.length == nil {
		t.length = map[int]int64{}
	}
	t.n += weight
	t.length[coarse(max(0, shown/2-1))] += weight
}

// overLong is how many texts are many times as long as the one in the middle.
func (t *textShape) overLong() int64 {
	if t.n == 0 {
		return 0
	}
	var seen, long int64
	median := -1
	for _, length := range slices.Sorted(maps.Keys(t.length)) {
		n := t.length[length]
		if seen += n; median < 0 && 2*seen >= t.n {
			median = length
		}
		if median > 0 && length > artifact.OverLongMultiple*median {
			long += n
		}
	}
	return long
}
