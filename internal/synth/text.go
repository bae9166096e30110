package synth

import (
	"bytes"
	"sort"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// texts makes texts: by the column's meaning where it is known, else by the
// formats and shapes that the profile saw, else words of the right length.
type texts struct {
	limit    limit
	distinct int64 // how many different texts there are; 0: as many as rows
	seed     uint64
	styles   []style
	cum      []float64
	length   []float64
	words    []float64
	scripts  []string
	scriptAt []float64
	pattern  func(dst []byte, r uint64) []byte // of a CHECK's regular expression
}

// style is one way to make a text.
type style struct {
	maker  words.Maker
	made   bool // by maker
	format string
	shape  string
}

func newTexts(c *column, p *profile.DataText, restRows int64, locales []string) *texts {
	m := &texts{limit: c.limit, seed: c.seed}
	if d := c.profile.Distinct - int64(len(c.profile.Values)); c.profile.Distinct > 0 && !c.profile.Unique {
		m.distinct = min(max(d, 1), max(restRows, 1))
	}
	if p == nil {
		p = &profile.DataText{}
	}
	m.length = floats(p.Length)
	m.words = floats(p.Words)
	for _, s := range p.Scripts {
		m.scripts = append(m.scripts, s.Name)
		m.scriptAt = append(m.scriptAt, last(m.scriptAt)+s.Share)
	}
	left := 1.0
	add := func(s style, share float64) {
		if share > 0 {
			m.styles = append(m.styles, s)
			m.cum = append(m.cum, last(m.cum)+share)
			left -= share
		}
	}
	if maker, ok := words.For(words.Meaning(c.profile.Meaning), locales); ok && c.meant(p) {
		add(style{maker: maker, made: true}, 1)
	}
	for _, f := range p.Formats {
		if f.Name != "word" && f.Name != "sentence" && left > 0.001 {
			add(style{format: f.Name}, min(f.Share, left))
		}
	}
	for _, s := range p.Shapes {
		if left > 0.001 && c.profile.Meaning == "" {
			add(style{shape: s.Value}, min(s.Share, left))
		}
	}
	if left > 0.001 {
		add(style{}, left)
	}
	return m
}

// meant reports whether the texts that the profile saw have the format that their
// meaning would give them.
func (c *column) meant(p *profile.DataText) bool {
	wanted := map[string]string{
		"email": "email", "uuid": "uuid", "url": "url", "phone": "phone", "iban": "iban", "ipv4": "ipv4", "ipv6": "ipv6",
		"hash_md5": "hex", "hash_sha1": "hex", "hash_sha256": "hex", "json": "json", "domain": "domain",
	}[c.profile.Meaning]
	if wanted == "" || len(p.Formats) == 0 {
		return true
	}
	for _, f := range p.Formats {
		if f.Name == wanted {
			return f.Share > 0.5
		}
	}
	return false
}

func (m *texts) put(v *rows.Vector, i int, at place, _ int, r uint64) {
	u := (float64(at.rank) + 0.5) / float64(at.n)
	if m.distinct > 0 {
		r = mix(m.seed ^ uint64(float64(m.distinct)*u))
		u = unit(mix(r + 1))
	}
	from := len(v.Data)
	for try := range uint64(8) {
		v.Data = m.one(v.Data[:from], u, r+try*0x9e3779b97f4a7c15, try >= 4)
		v.Data = v.Data[:from+m.limit.within(v.Data[from:])]
		v.Data = v.Data[:from+fit(v.Data[from:], m.limit.length)]
		if m.limit.letters != nil {
			v.Data = append(v.Data[:from], m.limit.letters(v.Data[from:])...)
		}
		if try >= 4 {
			v.Data = pad(v.Data, from, m.limit.least)
		}
		if m.limit.allowsText(v.Data[from:]) {
			return
		}
	}
}

// pad makes the text that begins at from as long as it must be.
func pad(dst []byte, from, least int) []byte {
	for n := runes(dst[from:]); n < least; n++ {
		dst = append(dst, 'a'+byte(n*7%26))
	}
	return dst
}

// one makes a text; a plain one is of words of the right length.
func (m *texts) one(dst []byte, u float64, r uint64, plain bool) []byte {
	if m.pattern != nil {
		return m.pattern(dst, r)
	}
	s := &m.styles[pick(m.cum, unit(mix(r+2)))]
	chars := 0
	if len(m.length) > 0 {
		chars = int(quantile(m.length, u) + 0.5)
	}
	switch {
	case plain:
	case s.made:
		return s.maker.Append(dst, r)
	case s.shape != "":
		return words.FromShape(dst, s.shape, r)
	case s.format != "":
		return words.FromFormat(dst, s.format, r, chars)
	}
	if len(m.length) == 0 {
		chars = 4 + int(r%17)
	}
	if m.limit.length > 0 {
		chars = min(chars, m.limit.length)
	}
	chars = max(chars, m.limit.least)
	n := max(1, chars/6)
	if len(m.words) > 0 {
		n = int(quantile(m.words, u) + 0.5)
	}
	script := "Latin"
	if len(m.scripts) > 0 {
		script = m.scripts[pick(m.scriptAt, unit(mix(r+3)))]
	}
	return words.Filler(dst, r, chars, n, script)
}

// within takes the characters that the column's character set lacks out of a text,
// in place, and gives its new length.
func (l *limit) within(b []byte) int {
	if l.highest == 0 || beyond(b, l.highest) < 0 {
		return len(b)
	}
	n := 0
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r <= l.highest {
			n += copy(b[n:], b[i:i+size])
		}
		i += size
	}
	return n
}

// pick finds u, which is below 1, among cumulative shares.
func pick(cum []float64, u float64) int {
	u *= last(cum)
	return min(sort.SearchFloat64s(cum, u), len(cum)-1)
}

func last(s []float64) float64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1]
}

// fit is how many bytes of a text are at most n characters, without white space
// at a cut; n 0 is all.
func fit(b []byte, n int) int {
	if n <= 0 || len(b) <= n {
		return len(b)
	}
	at := 0
	for ; n > 0 && at < len(b); n-- {
		_, size := utf8.DecodeRune(b[at:])
		at += size
	}
	if at < len(b) {
		at = len(bytes.TrimRight(b[:at], " "))
	}
	return at
}

func runes(b []byte) int {
	n := 0
	for _, c := range b {
		if c&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

func floats(n []int) []float64 {
	out := make([]float64, len(n))
	for i, x := range n {
		out[i] = float64(x)
	}
	return out
}
