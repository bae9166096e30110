package words

// someone is one person.
type someone struct {
	locale *locale
	given  *name
	family *name
	female bool
	number uint64 // that tells people of the same name apart; 0: none
}

func (m *maker) someone(r uint64) someone {
	l := m.locale(r)
	p := someone{locale: l, female: part(r, ofGender)>>63 == 1, family: &l.family[early(part(r, ofFamily), len(l.family))]}
	if p.female {
		p.given = &l.female[early(part(r, ofGiven), len(l.female))]
	} else {
		p.given = &l.male[early(part(r, ofGiven), len(l.male))]
	}
	return p
}

// numbered is the person with a number: no two numbers give the same names and
// the same number behind them.
func (m *maker) numbered(n uint64) someone {
	d := digitsOf(n)
	which := d.take(len(m.locales))
	l := m.locales[which]
	given := d.take(len(l.male) + len(l.female))
	p := someone{locale: l, family: &l.family[(d.take(len(l.family))+given*7)%len(l.family)]}
	if given < len(l.male) {
		p.given = &l.male[given]
	} else {
		p.given, p.female = &l.female[given-len(l.male)], true
	}
	// Locales may share names, so that the number tells them apart too.
	p.number = uint64(d)*uint64(len(m.locales)) + uint64(which)
	return p
}

func (p someone) familyName() string {
	if p.female {
		return p.family.female
	}
	return p.family.native
}

func (p someone) appendFull(dst []byte) []byte {
	if p.locale.familyFirst {
		dst = append(dst, p.familyName()...)
		if !p.locale.joined {
			dst = append(dst, ' ')
		}
		dst = append(dst, p.given.native...)
		if p.number > 0 {
			dst = appendInt(append(dst, ' '), p.number+1)
		}
		return dst
	}
	dst = append(append(dst, p.given.native...), ' ')
	if p.number > 0 {
		dst = append(appendLetters(dst, p.number-1, upperLetters), ". "...)
	}
	return append(dst, p.familyName()...)
}

// appendLocal appends what stands before the @ of the person's address.
func (p someone) appendLocal(dst []byte) []byte {
	dst = append(append(dst, p.given.latin...), '.')
	dst = appendLatin(dst, p.family.latin)
	if p.number > 0 {
		dst = appendInt(dst, p.number+1)
	}
	return dst
}

// appendLatin appends a name without the spaces in it.
func appendLatin(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] != ' ' {
			dst = append(dst, s[i])
		}
	}
	return dst
}

// mailDomains take mail from nobody.
var mailDomains = []string{"example.com", "example.org", "example.net", "mail.example", "post.example", "inbox.example", "mail.test", "web.example", "office.example", "company.test"}

// person makes the maker one of a meaning of people.
func (m *maker) person() bool {
	people := uint64(0)
	for _, l := range m.locales {
		people += uint64(len(l.male)+len(l.female)) * uint64(len(l.family))
	}
	switch m.meaning {
	case GivenName:
		m.gather(func(l *locale) []string {
			var out []string
			for i := range max(len(l.male), len(l.female)) {
				for _, list := range [][]name{l.male, l.female} {
					if i < len(list) {
						out = append(out, list[i].native)
					}
				}
			}
			return out
		})
		m.make = func(m *maker, dst []byte, r uint64) []byte { return append(dst, m.someone(r).given.native...) }
	case FamilyName:
		m.gather(func(l *locale) []string {
			var out []string
			for _, n := range l.family {
				out = append(out, n.native)
			}
			return out
		})
		m.make = func(m *maker, dst []byte, r uint64) []byte { return append(dst, m.someone(r).familyName()...) }
	case FullName:
		m.capacity = people
		m.make = func(m *maker, dst []byte, r uint64) []byte { return m.someone(r).appendFull(dst) }
		m.unique = func(m *maker, dst []byte, n uint64) []byte { return m.numbered(n).appendFull(dst) }
	case Username:
		m.capacity = people * 100
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			p := m.someone(r)
			style := part(r, ofRest)
			switch style >> 62 {
			case 0:
				return p.appendLocal(dst)
			case 1:
				dst = append(append(dst, p.given.latin[:1]...), p.family.latin...)
			default:
				dst = append(dst, p.given.latin...)
			}
			return appendPadded(dst, style>>16%100, 2)
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte { return m.numbered(n).appendLocal(dst) }
	case Email:
		m.capacity = people * uint64(len(mailDomains)) * 10
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			style := part(r, ofDomain)
			p := m.someone(r)
			if style&3 == 0 {
				p.number = style >> 8 % 98
			}
			dst = append(p.appendLocal(dst), '@')
			return append(dst, mailDomains[early(style, len(mailDomains))]...)
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			domain := d.take(len(mailDomains))
			dst = append(m.numbered(uint64(d)).appendLocal(dst), '@')
			return append(dst, mailDomains[domain]...)
		}
	case Phone:
		m.capacity = 0
		for _, l := range m.locales {
			m.capacity += places10(l.phone)
		}
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			return appendPattern(dst, m.locale(r).phone, part(r, ofPhone))
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			l := m.locales[d.take(len(m.locales))]
			room := places10(l.phone)
			dst = appendNumbered(dst, l.phone, uint64(d)%room)
			if uint64(d) >= room {
				dst = appendInt(append(dst, " ext. "...), uint64(d)/room)
			}
			return dst
		}
	case BirthDate:
		const days = 24000 // from 1940 on
		m.capacity = days
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			d := draw(part(r, ofRest))
			return appendDay(dst, birthDays+uint64(d.below(days)+d.below(days))/2)
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendDay(dst, birthDays+n) }
	case Gender:
		m.list = []string{"female", "male", "other", "unknown"}
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			switch {
			case part(r, ofRest)>>57 == 0:
				return append(dst, "other"...)
			case part(r, ofGender)>>63 == 1:
				return append(dst, "female"...)
			}
			return append(dst, "male"...)
		}
	case Title:
		m.list = []string{"Mr", "Ms", "Mrs", "Dr.", "Prof.", "Prof. Dr.", "Mx"}
	default:
		return false
	}
	return true
}

// birthDays is 1940-01-01 in days since the year 0 began in March.
const birthDays = 708510

// appendDay appends the date of a day counted as birthDays is (H. Hinnant's
// civil_from_days).
func appendDay(dst []byte, day uint64) []byte {
	era := day / 146097
	doe := day % 146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	year, month := yoe+era*400, mp+3
	if month > 12 {
		month -= 12
		year++
	}
	dst = append(appendPadded(dst, year, 4), '-')
	dst = append(appendPadded(dst, month, 2), '-')
	return appendPadded(dst, d, 2)
}

// appendPattern appends a pattern with digits of r for # and letters for @.
func appendPattern(dst []byte, pattern string, r uint64) []byte {
	for i := range len(pattern) {
		switch c := pattern[i]; c {
		case '#':
			r = r*6364136223846793005 + 1442695040888963407
			dst = append(dst, '0'+byte(below(r, 10)))
		case '@':
			r = r*6364136223846793005 + 1442695040888963407
			dst = append(dst, upperLetters[below(r, 26)])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendNumbered appends a pattern with the digits of n for #, the last first.
func appendNumbered(dst []byte, pattern string, n uint64) []byte {
	from := len(dst)
	dst = append(dst, pattern...)
	for i := len(dst) - 1; i >= from; i-- {
		if dst[i] == '#' {
			dst[i] = '0' + byte(n%10)
			n /= 10
		}
	}
	return dst
}

// places10 is how many numbers fit a pattern.
func places10(pattern string) uint64 {
	n := uint64(1)
	for i := range len(pattern) {
		if pattern[i] == '#' {
			n *= 10
		}
	}
	return n
}
