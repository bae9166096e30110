package artifact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text appends a text with the artifact, made from value. It has at most limit
// characters where limit is not 0: value is cut where it would have more. False,
// and dst as it was, where that cannot be: the limit is too short, a text has no
// such artifact, or there is no case to change.
func Text(name string, dst, value []byte, limit int, r uint64) ([]byte, bool) {
	switch name {
	case Mojibake:
		return replaceLetter(dst, value, limit, broken[:], "Ã©")
	case Decomposed:
		return replaceLetter(dst, value, limit, accents[:], "e\u0301")
	case Replacement:
		return insert(dst, value, limit, r, "\ufffd")
	case Control:
		return insert(dst, value, limit, r, pick(r, "\x01", "\x02", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\x7f"))
	case ZeroWidth:
		if r>>60 == 0 {
			return put(dst, limit, "\ufeff", value, "")
		}
		return insert(dst, value, limit, r, pick(r, "\u200b", "\u2060", "\ufeff"))
	case NoBreakSpace:
		return insert(dst, value, limit, r, "\u00a0")
	case LeadingSpace:
		return put(dst, limit, pick(r, " ", "  ", "\t"), value, "")
	case TrailingSpace:
		return put(dst, limit, "", value, pick(r, " ", "  ", "\t"))
	case DoubleSpace:
		return doubleSpace(dst, value, limit, r)
	case CaseDuplicates:
		return changeCase(dst, value, limit, r)
	case Empty:
		return dst, true
	case NullWord:
		word := nullWords[below(r, len(nullWords))]
		if limit > 0 && len(word) > limit {
			word = "-"
		}
		return append(dst, word...), true
	case Emoji:
		return put(dst, limit, "", value, pick(r, "😀", " 🎉", " 👍", "❤️", " 🚀", "☕"))
	case RightToLeft:
		return put(dst, limit, "", value, pick(r, " שלום", " مرحبا", " תודה", " شكرا"))
	case HTMLEntity:
		return insert(dst, value, limit, r, pick(r, "&amp;", "&lt;", "&quot;", "&#39;", "&nbsp;"))
	case AtLimit:
		return repeat(dst, value, limit, limit)
	case OverLong:
		return repeat(dst, value, (OverLongMultiple+1)*max(1, utf8.RuneCount(value)), limit)
	case LeadingZero:
		return leadingZero(dst, value, limit, r)
	case Quoting:
		return insert(dst, value, limit, r, pick(r, "'", "\"", "\\", "%", "''"))
	case LineBreak:
		return insert(dst, value, limit, r, pick(r, "\n", "\r\n", "\n\n"))
	}
	return dst, false
}

// mix is SplitMix64's finaliser.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below is a number from 0 to n-1.
func below(r uint64, n int) int { return int(mix(r) >> 32 * uint64(n) >> 32) }

func pick(r uint64, from ...string) string { return from[below(r, len(from))] }

// cut is at most the first n characters.
func cut(v []byte, n int) []byte {
	if len(v) <= n {
		return v
	}
	for i := 0; i < len(v); n-- {
		if n <= 0 {
			return v[:i]
		}
		_, size := utf8.DecodeRune(v[i:])
		i += size
	}
	return v
}

// put appends before, the value and behind, the value being cut for the limit.
func put(dst []byte, limit int, before string, value []byte, behind string) ([]byte, bool) {
	if limit > 0 {
		room := limit - utf8.RuneCountInString(before) - utf8.RuneCountInString(behind)
		if room < 0 {
			return dst, false
		}
		value = cut(value, room)
	}
	return append(append(append(dst, before...), value...), behind...), true
}

// insert appends the value with something behind one of its characters.
func insert(dst, value []byte, limit int, r uint64, what string) ([]byte, bool) {
	if limit > 0 {
		room := limit - utf8.RuneCountInString(what)
		if room < 0 {
			return dst, false
		}
		value = cut(value, room)
	}
	at := 0
	if len(value) > 0 {
		at = boundary(value, below(r^0x51ed27, len(value)+1))
	}
	return append(append(append(dst, value[:at]...), what...), value[at:]...), true
}

// boundary is the first place from i on where a character begins.
func boundary(v []byte, i int) int {
	for i < len(v) && !utf8.RuneStart(v[i]) {
		i++
	}
	return i
}

// substitute is a letter, and what stands for it.
type substitute struct {
	letter rune
	text   string
}

var broken = [...]substitute{{'é', "Ã©"}, {'ü', "Ã¼"}, {'ö', "Ã¶"}, {'ä', "Ã¤"}, {'ß', "Ã\u009f"}, {'ñ', "Ã±"}, {'è', "Ã¨"}, {'ç', "Ã§"}, {'ó', "Ã³"}, {'á', "Ã¡"}, {'e', "Ã©"}, {'u', "Ã¼"}, {'o', "Ã¶"}, {'a', "Ã¤"}, {'n', "Ã±"}}

var accents = [...]substitute{{'é', "e\u0301"}, {'ü', "u\u0308"}, {'ö', "o\u0308"}, {'ä', "a\u0308"}, {'ñ', "n\u0303"}, {'è', "e\u0300"}, {'ç', "c\u0327"}, {'ó', "o\u0301"}, {'á', "a\u0301"}, {'å', "a\u030a"},
	{'e', "e\u0301"}, {'u', "u\u0308"}, {'o', "o\u0308"}, {'a', "a\u0308"}, {'n', "n\u0303"}}

// replaceLetter replaces the first letter that there is a substitute for, and
// appends otherwise where there is none.
func replaceLetter(dst, value []byte, limit int, subs []substitute, otherwise string) ([]byte, bool) {
	if limit > 0 {
		if limit < 2 {
			return dst, false
		}
		value = cut(value, limit-1)
	}
	for i, c := range string(value) {
		for _, s := range subs {
			if s.letter == c {
				dst = append(append(dst, value[:i]...), s.text...)
				return append(dst, value[i+utf8.RuneLen(c):]...), true
			}
		}
	}
	return put(dst, limit, "", value, otherwise)
}

// doubleSpace makes a space two, or puts two between letters.
func doubleSpace(dst, value []byte, limit int, r uint64) ([]byte, bool) {
	if limit > 0 {
		if limit < 4 {
			return dst, false
		}
		value = cut(value, limit-2)
	}
	if len(value) == 0 {
		value = []byte("x")
	}
	_, size := utf8.DecodeRune(value)
	if size == len(value) {
		// Too short to have anything on both sides.
		return append(append(dst, value...), "  x"...), true
	}
	for i := 1; i+1 < len(value); i++ {
		if value[i] == ' ' && value[i-1] != ' ' && value[i+1] != ' ' {
			return append(append(append(dst, value[:i]...), ' '), value[i:]...), true
		}
	}
	at := boundary(value, 1+below(r, len(value)-1))
	if at >= len(value) {
		at = size
	}
	return append(append(append(dst, value[:at]...), "  "...), value[at:]...), true
}

// changeCase makes a text that differs from the value in case alone.
func changeCase(dst, value []byte, limit int, r uint64) ([]byte, bool) {
	if limit > 0 {
		value = cut(value, limit)
	}
	was := string(value)
	for i := range 3 {
		var is string
		switch (below(r, 3) + i) % 3 {
		case 0:
			is = strings.Map(turned(unicode.ToUpper), was)
		case 1:
			is = strings.Map(turned(unicode.ToLower), was)
		default:
			first, size := utf8.DecodeRuneInString(was)
			is = strings.Map(turned(swapped), string(was[:size])) + was[size:]
			if first == utf8.RuneError {
				continue
			}
		}
		if is != was && strings.EqualFold(is, was) {
			return append(dst, is...), true
		}
	}
	return dst, false
}

func swapped(r rune) rune {
	if unicode.IsUpper(r) {
		return unicode.ToLower(r)
	}
	return unicode.ToUpper(r)
}

// turned leaves characters alone that do not come back from the other case, as
// the Turkish ı.
func turned(to func(rune) rune) func(rune) rune {
	return func(r rune) rune {
		c := to(r)
		if unicode.ToLower(c) != unicode.ToLower(r) || utf8.RuneLen(c) != utf8.RuneLen(r) {
			return r
		}
		return c
	}
}

// repeat appends the value over and over until it has so many characters, the
// last being no space.
func repeat(dst, value []byte, chars, limit int) ([]byte, bool) {
	if chars <= 0 || limit > 0 && chars > limit {
		return dst, false
	}
	if len(value) == 0 {
		value = []byte("text")
	}
	n := utf8.RuneCount(value)
	spaced := n > 8
	for left := chars; left > 0; {
		part := cut(value, left)
		dst = append(dst, part...)
		left -= min(n, left)
		if spaced && left > 1 {
			dst = append(dst, ' ')
			left--
		}
	}
	if white(dst[len(dst)-1]) {
		dst[len(dst)-1] = 'x'
	}
	return dst, true
}

// leadingZero puts a zero before digits, and makes digits of anything else.
func leadingZero(dst, value []byte, limit int, r uint64) ([]byte, bool) {
	if limit == 1 {
		return dst, false
	}
	digits := len(value) > 0
	for _, c := range value {
		digits = digits && c >= '0' && c <= '9'
	}
	if digits {
		return put(dst, limit, "0", value, "")
	}
	n := min(max(2, len(value)), 9)
	if limit > 0 {
		n = min(n, limit)
	}
	dst = append(dst, '0')
	for i := 1; i < n; i++ {
		dst = append(dst, '0'+byte(below(r+uint64(i), 10)))
	}
	return dst, true
}
