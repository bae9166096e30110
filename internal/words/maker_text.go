package words

import (
	"unicode"
	"unicode/utf8"
)

// text makes the maker one of a meaning of texts, technical ones included.
func (m *maker) text() bool {
	pairs := uint64(0)
	for _, l := range m.locales {
		pairs += uint64(len(l.adjectives)) * uint64(len(l.nouns))
	}
	// prose is a maker of some sentences, from least to most.
	prose := func(least, most int) {
		m.capacity = 1 << 40
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			d := draw(part(r, ofRest))
			l := m.locale(r)
			for i := range least + d.below(most-least+1) {
				if i > 0 && !l.noSpace {
					dst = append(dst, ' ')
				}
				dst = l.appendSentence(dst, &d)
			}
			return dst
		}
	}
	switch m.meaning {
	case TitleText:
		m.capacity = pairs * 20
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			d := draw(part(r, ofRest))
			l := m.locale(r)
			dst = l.appendPair(dst, d.below(len(l.adjectives)), d.below(len(l.nouns)))
			if d.below(2) == 0 {
				dst = l.appendSpace(dst)
				dst = append(dst, l.nouns[d.below(len(l.nouns))]...)
			}
			return dst
		}
	case NameOfThing:
		m.capacity = pairs
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			x := part(r, ofRest)
			l := m.locale(r)
			return l.appendPair(dst, early(x, len(l.adjectives)), early(x<<16, len(l.nouns)))
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			which := d.take(len(m.locales))
			l := m.locales[which]
			noun := d.take(len(l.nouns))
			dst = l.appendPair(dst, (d.take(len(l.adjectives))+noun*5)%len(l.adjectives), noun)
			if number := uint64(d)*uint64(len(m.locales)) + uint64(which); number > 0 {
				dst = appendInt(append(dst, ' '), number+1)
			}
			return dst
		}
	case Sentence:
		prose(1, 1)
	case Comment:
		prose(1, 2)
	case Description:
		prose(1, 3)
	case Paragraph:
		prose(3, 7)
	case Tag:
		m.list, m.behind = tags, "-"
	case Code:
		m.capacity = 26 * 26 * 26 * 1000
		m.make = func(m *maker, dst []byte, r uint64) []byte { return m.unique(m, dst, part(r, ofRest)%m.capacity) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			dst = append(dst, upperLetters[d.take(26)], upperLetters[d.take(26)], upperLetters[d.take(26)])
			return appendPadded(dst, uint64(d), 3)
		}
	case Status:
		m.list, m.behind = statuses, "_"
	case JSON:
		m.structured(`{"id":`, `,"name":"`, `","active":true}`)
	case Serialized:
		m.capacity = 1 << 32
		m.make = func(m *maker, dst []byte, r uint64) []byte { return m.unique(m, dst, part(r, ofRest)>>32) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte {
			dst = appendInt(append(dst, `a:2:{s:2:"id";i:`...), n)
			noun := english().nouns[below(mix(n), len(english().nouns))]
			dst = appendInt(append(dst, `;s:4:"name";s:`...), uint64(len(noun)))
			dst = append(append(dst, `:"`...), noun...)
			return append(dst, `";}`...)
		}
	case Base64:
		m.capacity = 1 << 63
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			return append(appendSixBits(dst, draw(part(r, ofRest)), 42, base64Standard), "A="...)
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte {
			return append(appendSixBits(dst, draw(mix(n)), 42, base64Standard), "A="...)
		}
	case XML:
		m.structured(`<item><id>`, `</id><name>`, `</name></item>`)
	case HTML:
		m.structured(`<p id="p`, `">`, `</p>`)
	default:
		return false
	}
	return true
}

const base64Standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// structured makes the maker one of a number and some words between markup.
func (m *maker) structured(before, between, behind string) {
	m.capacity = 1 << 32
	m.make = func(m *maker, dst []byte, r uint64) []byte { return m.unique(m, dst, part(r, ofRest)>>32) }
	m.unique = func(m *maker, dst []byte, n uint64) []byte {
		dst = append(appendInt(append(dst, before...), n), between...)
		x := mix(n)
		l := m.locales[below(x<<24, len(m.locales))]
		dst = l.appendPair(dst, below(x, len(l.adjectives)), below(x<<12, len(l.nouns)))
		return append(dst, behind...)
	}
}

func (l *locale) appendSpace(dst []byte) []byte {
	if l.noSpace {
		return dst
	}
	return append(dst, ' ')
}

// appendPair appends an adjective and a noun.
func (l *locale) appendPair(dst []byte, adjective, noun int) []byte {
	dst = l.appendSpace(appendCapital(dst, l.adjectives[adjective]))
	return append(dst, l.nouns[noun]...)
}

// appendSentence appends a sentence of some seven words.
func (l *locale) appendSentence(dst []byte, d *draw) []byte {
	x := d.next()
	dst = l.appendPair(dst, below(x, len(l.adjectives)), below(x<<16, len(l.nouns)))
	dst = l.appendSpace(dst)
	y := d.next()
	dst = l.appendSpace(append(dst, l.verbs[below(y, len(l.verbs))]...))
	dst = l.appendSpace(append(dst, l.adjectives[below(y<<16, len(l.adjectives))]...))
	dst = append(dst, l.nouns[below(x<<32, len(l.nouns))]...)
	if y&1 == 0 {
		dst = append(l.appendSpace(dst), l.nouns[below(y<<24, len(l.nouns))]...)
	}
	return append(dst, l.stop...)
}

// appendCapital appends a word with its first letter in upper case.
func appendCapital(dst []byte, s string) []byte {
	if s[0] < utf8.RuneSelf {
		c := s[0]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		return append(append(dst, c), s[1:]...)
	}
	r, n := utf8.DecodeRuneInString(s)
	return append(utf8.AppendRune(dst, unicode.ToUpper(r)), s[n:]...)
}
