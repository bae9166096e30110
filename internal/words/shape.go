package words

import (
	"unicode"
	"unicode/utf8"
)

// shapeLength is how many characters a shape has at most.
const shapeLength = 40

// Shape appends the shape of a text: A for a letter in upper case, a for any
// other letter, 9 for a digit, and all else itself. Runs of more than four of
// these are written A+, a+ and 9+. A shape ends after 40 characters. Bytes that
// are no UTF-8 become U+FFFD.
func Shape(dst, value []byte) []byte {
	chars := 0
	for len(value) > 0 && chars < shapeLength {
		class, n := classOf(value)
		if class != 'A' && class != 'a' && class != '9' {
			dst = utf8.AppendRune(dst, class)
			chars++
			value = value[n:]
			continue
		}
		run := 0
		for len(value) > 0 {
			c, n := classOf(value)
			if c != class {
				break
			}
			run++
			value = value[n:]
		}
		if run > 4 {
			dst = append(dst, byte(class), '+')
			chars += 2
			continue
		}
		for ; run > 0 && chars < shapeLength; run-- {
			dst = append(dst, byte(class))
			chars++
		}
	}
	return dst
}

// classOf is the class of a text's first character, and its length in bytes.
// Marks belong to the letter before them.
func classOf(value []byte) (rune, int) {
	if c := value[0]; c < utf8.RuneSelf {
		switch {
		case c >= 'a' && c <= 'z':
			return 'a', 1
		case c >= '0' && c <= '9':
			return '9', 1
		case c >= 'A' && c <= 'Z':
			return 'A', 1
		}
		return rune(c), 1
	}
	r, n := utf8.DecodeRune(value)
	switch {
	case unicode.IsUpper(r):
		return 'A', n
	case unicode.IsLetter(r):
		return 'a', n
	case unicode.IsDigit(r):
		return '9', n
	}
	return r, n
}

// FromShape appends a text of the shape. Where the shape has a run of more than
// four, the text's run is of five to twelve, in syllables; letters are ASCII.
func FromShape(dst []byte, shape string, r uint64) []byte {
	d := draw(r)
	for i := 0; i < len(shape); i++ {
		c := shape[i]
		run := i+1 < len(shape) && shape[i+1] == '+'
		n := 1
		if (c == 'A' || c == 'a' || c == '9') && run {
			n = 5 + early(d.next(), 8)
			i++
		}
		switch c {
		case 'A':
			for range n {
				dst = append(dst, upperLetters[d.below(26)])
			}
		case 'a':
			if n == 1 {
				dst = append(dst, lowerLetters[d.below(26)])
				continue
			}
			dst = appendSyllables(dst, &d, n)
		case '9':
			for range n {
				dst = append(dst, '0'+byte(d.below(10)))
			}
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendSyllables appends n letters that one can pronounce.
func appendSyllables(dst []byte, d *draw, n int) []byte {
	const consonants, vowels = "rntslmdkpbgvfhcw", "eaioeaiu"
	for i := range n {
		if i%2 == 0 {
			dst = append(dst, consonants[d.below(len(consonants))])
		} else {
			dst = append(dst, vowels[d.below(len(vowels))])
		}
	}
	return dst
}
