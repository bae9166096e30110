package words

// identifier makes the maker one of a meaning of identifiers.
func (m *maker) identifier() bool {
	// random is a maker of values that spell out a 64-bit number.
	random := func(spell func(dst []byte, d draw) []byte) {
		m.capacity = 1 << 63
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return spell(dst, draw(part(r, ofRest))) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return spell(dst, draw(mix(n))) }
	}
	// counted is a maker of values that spell out a number below room, and greater
	// ones with more digits.
	counted := func(room uint64, spell func(dst []byte, n uint64) []byte) {
		m.capacity = room
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return spell(dst, part(r, ofRest)%room) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return spell(dst, n) }
	}
	switch m.meaning {
	case UUID:
		random(appendUUID)
	case ExternalID:
		random(func(dst []byte, d draw) []byte { return appendHex(append(dst, "ext_"...), d, 16) })
	case Token:
		random(func(dst []byte, d draw) []byte { return appendSixBits(dst, d, 43, base64Digits) })
	case PasswordHash:
		random(appendPasswordHash)
	case APIKey:
		random(func(dst []byte, d draw) []byte { return appendHex(append(dst, "key_test_"...), d, 32) })
	case SessionID, MD5:
		random(func(dst []byte, d draw) []byte { return appendHex(dst, d, 32) })
	case SHA1:
		random(func(dst []byte, d draw) []byte { return appendHex(dst, d, 40) })
	case SHA256:
		random(func(dst []byte, d draw) []byte { return appendHex(dst, d, 64) })
	case SKU:
		counted(26*26*26*10000, func(dst []byte, n uint64) []byte {
			d := digitsOf(n)
			low := d.take(10000)
			dst = append(dst, upperLetters[d.take(26)], upperLetters[d.take(26)], upperLetters[d.take(26)], '-')
			if d > 0 {
				dst = append(appendLetters(dst, uint64(d), upperLetters), '-')
			}
			return appendPadded(dst, uint64(low), 4)
		})
	case OrderNumber:
		counted(100000000, func(dst []byte, n uint64) []byte { return appendPadded(append(dst, "ORD-"...), n, 8) })
	case InvoiceNumber:
		counted(1000000, func(dst []byte, n uint64) []byte { return appendPadded(append(dst, "INV-"...), n, 6) })
	case Version:
		counted(2000, func(dst []byte, n uint64) []byte {
			d := digitsOf(n)
			patch, minor := d.take(10), d.take(20)
			dst = append(appendInt(dst, uint64(d)+1), '.')
			dst = append(appendInt(dst, uint64(minor)), '.')
			return appendInt(dst, uint64(patch))
		})
	case Locale:
		m.behind = "_x"
		m.gather(func(l *locale) []string { return []string{l.tag} })
		m.list = appendNew(m.list, localeTags)
		m.make = func(m *maker, dst []byte, r uint64) []byte { return append(dst, m.locale(r).tag...) }
	case TimeZone:
		m.list, m.behind = timeZones, "/"
	case Color:
		counted(1<<24, func(dst []byte, n uint64) []byte {
			width := 20
			for width < 60 && n>>(width+4) > 0 {
				width += 4
			}
			dst = append(dst, '#')
			for ; width >= 0; width -= 4 {
				dst = append(dst, hexDigits[n>>width&15])
			}
			return dst
		})
	default:
		return false
	}
	return true
}

// appendUUID appends a version 4 UUID. The first 64-bit number is all in it.
func appendUUID(dst []byte, d draw) []byte {
	a, b := d.next(), d.next()
	for i := range 32 {
		var digit uint64
		switch {
		case i == 8 || i == 12 || i == 16 || i == 20:
			dst = append(dst, '-')
		}
		switch {
		case i < 12:
			digit = a >> (60 - 4*i) & 15
		case i == 12:
			digit = 4
		case i == 16:
			digit = 8 | b>>62
		case i >= 28:
			digit = a >> (4 * (31 - i)) & 15
		default:
			digit = b >> (4 * (i - 13)) & 15
		}
		dst = append(dst, hexDigits[digit])
	}
	return dst
}

// appendPasswordHash appends what looks like bcrypt's and is the hash of
// nothing: 22 digits of salt, of which the last has two bits, and 31 of hash.
func appendPasswordHash(dst []byte, d draw) []byte {
	dst = append(dst, "$2b$12$"...)
	dst = appendSixBits(dst, d, 21, bcryptDigits)
	dst = append(dst, ".Oeu"[d&3])
	return appendSixBits(dst, d+1, 31, bcryptDigits)
}
