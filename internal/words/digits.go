package words

import "strconv"

// appendPadded appends n with at least width digits.
func appendPadded(dst []byte, n uint64, width int) []byte {
	var b [20]byte
	i := len(b)
	for n > 0 || i == len(b) {
		i--
		b[i] = byte('0' + n%10)
		n /= 10
	}
	for j := len(b) - i; j < width; j++ {
		dst = append(dst, '0')
	}
	return append(dst, b[i:]...)
}

func appendInt(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

const (
	hexDigits    = "0123456789abcdef"
	base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	bcryptDigits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
)

// appendHex appends n hexadecimal digits of the draw; the first sixteen tell
// which number it started from.
func appendHex(dst []byte, d draw, n int) []byte {
	for n > 0 {
		x := d.next()
		for i := 0; i < 16 && n > 0; i, n = i+1, n-1 {
			dst = append(dst, hexDigits[x>>60])
			x <<= 4
		}
	}
	return dst
}

// appendSixBits appends n digits of an alphabet of 64; the first eleven tell
// which number the draw started from.
func appendSixBits(dst []byte, d draw, n int, alphabet string) []byte {
	for n > 0 {
		x := d.next()
		for i := 0; i < 11 && n > 0; i, n = i+1, n-1 {
			dst = append(dst, alphabet[x&63])
			x >>= 6
		}
	}
	return dst
}

// appendLuhn appends the check digit of the digits from position from on.
func appendLuhn(dst []byte, from int) []byte {
	return append(dst, '0'+byte((10-luhn(dst[from:], true))%10))
}

// luhn is the sum of the digits modulo 10, those at odd places from the end
// doubled; with behind, as if a digit followed.
func luhn(digits []byte, behind bool) int {
	sum := 0
	double := behind
	for i := len(digits) - 1; i >= 0; i-- {
		n := int(digits[i] - '0')
		if double {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
		double = !double
	}
	return sum % 10
}

// mod97 is an IBAN's remainder (ISO 7064): that of the text from the fifth
// character on and then the first four, letters being 10 to 35.
func mod97(iban []byte) int {
	m := 0
	for i := range iban {
		c := iban[(i+4)%len(iban)]
		switch {
		case c >= '0' && c <= '9':
			m = (m*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			m = (m*100 + int(c-'A') + 10) % 97
		default:
			return -1
		}
	}
	return m
}

// appendLetters appends n in letters: a, b, …, z, aa, ab, …, each number other
// letters.
func appendLetters(dst []byte, n uint64, alphabet string) []byte {
	k := uint64(len(alphabet))
	var b [64]byte
	i := len(b)
	for {
		i--
		b[i] = alphabet[n%k]
		if n < k {
			return append(dst, b[i:]...)
		}
		n = n/k - 1
	}
}
