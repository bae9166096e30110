package words

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Filler appends a text of exactly chars characters in about so many words of a
// script, as Unicode calls it: "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew",
// "Devanagari", "Han", "Hiragana", "Katakana", "Hangul". Other scripts get Latin.
// The text neither begins nor ends with a space. words of 0 leaves their number
// to the language.
func Filler(dst []byte, r uint64, chars, words int, script string) []byte {
	if chars <= 0 {
		return dst
	}
	d := draw(r)
	vocabulary := fillers()[script]
	if vocabulary == nil {
		vocabulary = fillers()["Latin"]
	}
	spaced := script != "Han" && script != "Hiragana" && script != "Katakana"
	if !spaced && words > 1 && chars/words < 12 {
		spaced = true // a text in which somebody did put spaces
	}
	length := 0 // of every word; 0: as they come
	if words > 0 {
		length = max(1, (chars-words+1)/words)
	}
	done := 0
	for word := 1; done < chars; word++ {
		if done > 0 && spaced && chars-done >= 2 {
			dst = append(dst, ' ')
			done++
		}
		room := chars - done
		w := vocabulary.next(&d, length)
		left := words - word
		switch {
		case words > 0 && left <= 0:
			// The last word takes all that is left.
			for room > w.chars {
				dst = append(dst, w.text...)
				room -= w.chars
				done += w.chars
				w = vocabulary.next(&d, room)
			}
		case words > 0 && room < w.chars+2*left:
			w = vocabulary.cut(w, max(1, room-2*left))
		}
		if w.chars > room || room-w.chars == 1 && spaced && (words == 0 || left > 0) {
			dst = vocabulary.fill(dst, &d, room)
			return dst
		}
		dst = append(dst, w.text...)
		done += w.chars
	}
	return dst
}

// vocabulary is a script's words by their length in characters.
type vocabulary struct {
	all      []filler
	byLength [][]filler // index: characters
}

type filler struct {
	text  string
	chars int
}

// next is a word of about the length, 0 being any.
func (v *vocabulary) next(d *draw, length int) filler {
	if length <= 0 {
		return v.all[d.below(len(v.all))]
	}
	length += d.below(3) - 1
	for length >= len(v.byLength) || length > 1 && length >= 0 && len(v.byLength[length]) == 0 {
		length--
	}
	if length < 1 || len(v.byLength[length]) == 0 {
		return v.cut(v.all[d.below(len(v.all))], max(1, length))
	}
	list := v.byLength[length]
	return list[d.below(len(list))]
}

// cut is the beginning of a word.
func (v *vocabulary) cut(w filler, chars int) filler {
	if chars >= w.chars {
		return w
	}
	n := 0
	for i := range w.text {
		if n == chars {
			return filler{w.text[:i], chars}
		}
		n++
	}
	return w
}

// fill appends exactly n characters of words without spaces.
func (v *vocabulary) fill(dst []byte, d *draw, n int) []byte {
	for n > 0 {
		w := v.cut(v.next(d, n), n)
		dst = append(dst, w.text...)
		n -= w.chars
	}
	return dst
}

// fillers are the vocabularies by script.
var fillers = sync.OnceValue(func() map[string]*vocabulary {
	codes := map[string]string{"Latin": "en", "Cyrillic": "ru", "Greek": "el", "Arabic": "ar", "Hebrew": "he", "Devanagari": "hi", "Han": "zh", "Hiragana": "ja", "Katakana": "ja", "Hangul": "ko"}
	out := map[string]*vocabulary{}
	for script, code := range codes {
		l := chosen([]string{code})[0]
		v := &vocabulary{}
		for _, list := range [][]string{l.adjectives, l.nouns, l.verbs} {
			for _, w := range list {
				v.add(script, w)
			}
		}
		if script == "Katakana" {
			for _, w := range strings.Fields("データ サービス メール カード ページ ファイル システム ユーザー メモ テスト リスト") {
				v.add(script, w)
			}
		}
		if script == "Hiragana" {
			for _, w := range strings.Fields("これ それ ここ あさ よる はる なつ あき ふゆ みち はな やま かわ うみ そら ことば") {
				v.add(script, w)
			}
		}
		out[script] = v
	}
	return out
})

// add adds a word; in Hiragana and Katakana, only what is written in it.
func (v *vocabulary) add(script, w string) {
	if script == "Hiragana" || script == "Katakana" {
		for _, r := range w {
			if !unicode.Is(unicode.Scripts[script], r) && r != 'ー' {
				return
			}
		}
	}
	n := utf8.RuneCountInString(w)
	if strings.Contains(w, " ") || n == 0 {
		return
	}
	f := filler{w, n}
	v.all = append(v.all, f)
	for len(v.byLength) <= n {
		v.byLength = append(v.byLength, nil)
	}
	v.byLength[n] = append(v.byLength[n], f)
}
