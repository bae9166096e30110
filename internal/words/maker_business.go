package words

// business makes the maker one of a meaning of organisations or finance.
func (m *maker) business() bool {
	switch m.meaning {
	case Company:
		for _, l := range m.locales {
			m.capacity += uint64(len(l.family)) * uint64(len(l.companyEnds)) * uint64(len(l.nouns)+1)
		}
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			l := m.locale(r)
			x := part(r, ofCompany)
			noun := below(x<<32, 2*len(l.nouns))
			return l.appendCompany(dst, early(x, len(l.family)), noun, below(x<<16, len(l.companyEnds)), 0)
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			which := d.take(len(m.locales))
			l := m.locales[which]
			end := d.take(len(l.companyEnds))
			family := d.take(len(l.family))
			noun := d.take(len(l.nouns) + 1)
			return l.appendCompany(dst, family, noun, end, uint64(d)*uint64(len(m.locales))+uint64(which))
		}
	case Department:
		m.list = departments
	case JobTitle:
		m.list = jobTitles
	case VATID:
		m.capacity = 10000000
		m.make = func(m *maker, dst []byte, r uint64) []byte { return m.unique(m, dst, part(r, ofCompany)%10000000) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendVAT(dst, n) }
	case IBAN:
		m.capacity = 1 << 40
		m.make = func(m *maker, dst []byte, r uint64) []byte { return appendIBAN(dst, m.locale(r), part(r, ofRest)>>24) }
		m.unique = func(m *maker, dst []byte, n uint64) []byte { return appendIBAN(dst, m.locales[0], n) }
	case BIC:
		m.capacity = 26 * 26 * 26
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			x := part(r, ofRest)
			dst = append(dst, "ZZ"...)
			dst = append(dst, upperLetters[below(x, 26)], upperLetters[below(x<<8, 26)])
			dst = append(dst, m.locale(r).country...)
			return append(dst, '0', upperLetters[below(x<<16, 26)])
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			dst = append(dst, "ZZ"...)
			dst = append(dst, upperLetters[d.take(26)], upperLetters[d.take(26)])
			dst = append(append(dst, m.locales[0].country...), '0', upperLetters[d.take(26)])
			for d > 0 {
				dst = append(dst, upperLetters[d.take(26)])
			}
			return dst
		}
	case CreditCard:
		m.capacity = 1000000000
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return appendCard(dst, part(r, ofRest)%1000000000) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendCard(dst, n) }
	case Currency:
		m.list = currencies
	case Amount, Price:
		m.capacity = 1000000
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			x := part(r, ofRest)
			cents := x >> 44 * (x >> 24 & 0xfffff) >> 20 * (x & 0xfffff) >> 20
			if m.meaning == Price {
				cents = cents/1000*100 + 99
			}
			return appendCents(dst, cents)
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendCents(dst, n) }
	case Quantity:
		m.capacity = 1000
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			x := part(r, ofRest)
			return appendInt(dst, 1+(x>>54*(x>>44&0x3ff)>>10*(x>>34&0x3ff)>>10))
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendInt(dst, n+1) }
	case TaxRate:
		m.list = []string{"19.00", "20.00", "7.00", "0.00", "21.00", "10.00", "5.50", "23.00", "25.00", "5.00", "8.25", "6.00"}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendCents(dst, n) }
	case AccountNumber:
		m.capacity = 100000000
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			return appendPadded(append(dst, "00"...), part(r, ofRest)%100000000, 8)
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendPadded(append(dst, "00"...), n, 8) }
	default:
		return false
	}
	return true
}

// appendCompany appends the name of a firm: a family's, with a noun where there
// is one for the number, and what the law calls it.
func (l *locale) appendCompany(dst []byte, family, noun, end int, number uint64) []byte {
	dst = append(dst, l.family[family].native...)
	if noun > 0 && noun <= len(l.nouns) {
		if !l.noSpace {
			dst = append(dst, ' ')
		}
		dst = appendCapital(dst, l.nouns[noun-1])
	}
	if number > 0 {
		dst = appendInt(append(dst, ' '), number+1)
	}
	if !l.noSpace {
		dst = append(dst, ' ')
	}
	return append(dst, l.companyEnds[end]...)
}

// appendCents appends hundredths as a decimal.
func appendCents(dst []byte, cents uint64) []byte {
	dst = append(appendInt(dst, cents/100), '.')
	return appendPadded(dst, cents%100, 2)
}

// appendIBAN appends an IBAN with right check digits. German bank codes that
// begin with 9, and the British bank TEST, do not exist.
func appendIBAN(dst []byte, l *locale, n uint64) []byte {
	from := len(dst)
	if l.code == "en" {
		dst = append(dst, "GB00TEST"...)
		dst = appendPadded(dst, n, 14)
	} else {
		dst = append(dst, "DE009"...)
		dst = appendPadded(dst, n, 17)
	}
	check := 98 - mod97(dst[from:])
	dst[from+2], dst[from+3] = '0'+byte(check/10), '0'+byte(check%10)
	return dst
}

// appendCard appends a card number of the range that payment providers keep for
// tests.
func appendCard(dst []byte, n uint64) []byte {
	from := len(dst)
	if n < 1000000000 {
		dst = appendPadded(append(dst, "424242"...), n, 9)
	} else {
		dst = appendPadded(append(dst, "4242"...), n, 14)
	}
	return appendLuhn(dst, from)
}

// appendVAT appends a German VAT number, whose check digit is that of ISO 7064
// (MOD 11,10). Real ones do not begin with 0.
func appendVAT(dst []byte, n uint64) []byte {
	dst = append(dst, "DE"...)
	from := len(dst)
	dst = appendPadded(append(dst, '0'), n, 7)
	p := 10
	for _, c := range dst[from:] {
		s := (int(c-'0') + p) % 10
		if s == 0 {
			s = 10
		}
		p = 2 * s % 11
	}
	return append(dst, '0'+byte((11-p)%10))
}
