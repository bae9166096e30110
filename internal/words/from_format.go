package words

import (
	"sync"
)

// FromFormat appends a text of one of Formats' formats, about length characters
// long where the format allows: a UUID has its own length. An unknown format
// gives a sentence. What is appended is of the format again, unless length is
// too short for it.
func FromFormat(dst []byte, format string, r uint64, length int) []byte {
	if m, ok := formatMakers()[format]; ok {
		return m.Append(dst, r)
	}
	d := draw(r)
	length = max(1, length)
	switch format {
	case "email":
		local := max(1, length-len("@example.com"))
		return append(appendSyllables(dst, &d, min(local, 64)), "@example.com"...)
	case "url":
		dst = append(dst, "https://www.example.com/"...)
		return appendSlugOf(dst, &d, length-len("https://www.example.com/"))
	case "domain":
		dst = appendSyllables(dst, &d, min(63, max(1, length-len(".example"))))
		return append(dst, ".example"...)
	case "hex":
		length = max(8, length+length%2)
		from := len(dst)
		dst = appendHex(dst, d, length)
		dst[from+1] = '0' + dst[from+1]%10
		return dst
	case "base64":
		length = max(16, (length+3)/4*4)
		dst = appendSixBits(dst, d, length-2, base64Standard)
		return append(dst, "A="...)
	case "date":
		return appendDay(dst, 719468+uint64(d.below(20000)))
	case "timestamp":
		dst = append(appendDay(dst, 719468+uint64(d.below(20000))), ' ')
		dst = append(appendPadded(dst, uint64(d.below(24)), 2), ':')
		dst = append(appendPadded(dst, uint64(d.below(60)), 2), ':')
		return appendPadded(dst, uint64(d.below(60)), 2)
	case "integer":
		dst = append(dst, '1'+byte(d.below(9)))
		return appendDigits(dst, &d, length-1)
	case "decimal":
		dst = append(dst, '1'+byte(d.below(9)))
		dst = append(appendDigits(dst, &d, length-4), '.')
		return appendDigits(dst, &d, 2)
	case "slug":
		return appendSlugOf(dst, &d, max(3, length))
	case "json":
		if length < len(`{"a":""}`) {
			return append(dst, "{}"...)
		}
		dst = append(dst, `{"a":"`...)
		dst = Filler(dst, r, length-len(`{"a":""}`), 0, "Latin")
		return append(dst, `"}`...)
	case "html":
		dst = append(dst, "<p>"...)
		dst = Filler(dst, r, max(1, length-len("<p></p>")), 0, "Latin")
		return append(dst, "</p>"...)
	case "path":
		dst = append(dst, '/')
		return appendSlugOf(dst, &d, length-1)
	case "word":
		return appendSyllables(dst, &d, length)
	}
	if length < 3 {
		return Filler(dst, r, length, 1, "Latin")
	}
	return Filler(dst, r, length, max(2, length/6), "Latin")
}

// formatMakers make the formats whose length is their own.
var formatMakers = sync.OnceValue(func() map[string]Maker {
	out := map[string]Maker{}
	for format, m := range map[string]Meaning{"uuid": UUID, "phone": Phone, "iban": IBAN, "ipv4": IPv4, "ipv6": IPv6} {
		out[format], _ = For(m, []string{"en"})
	}
	return out
})

func appendDigits(dst []byte, d *draw, n int) []byte {
	for range n {
		dst = append(dst, '0'+byte(d.below(10)))
	}
	return dst
}

// appendSlugOf appends a slug of exactly n characters, of at least three, with a
// dash somewhere.
func appendSlugOf(dst []byte, d *draw, n int) []byte {
	n = max(3, n)
	head := 1 + d.below(min(8, n-2))
	for n > 0 {
		head = min(head, n)
		dst = appendSyllables(dst, d, head)
		if n -= head; n >= 2 {
			dst = append(dst, '-')
			n--
		}
		head = 2 + d.below(7)
		if n-head == 1 {
			head = n
		}
	}
	return dst
}
