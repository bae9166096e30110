package words

// address makes the maker one of a meaning of addresses.
func (m *maker) address() bool {
	postal := func(m *maker, dst []byte, r uint64) []byte {
		return appendPattern(dst, m.place(r).postal, part(r, ofPostal))
	}
	switch m.meaning {
	case Street:
		for _, l := range m.locales {
			m.capacity += uint64(len(l.streets)) * 200
		}
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			l := m.locale(r)
			return l.appendStreet(dst, streetOf(l, r), houseOf(r))
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			l := m.locales[d.take(len(m.locales))]
			street := l.streets[d.take(len(l.streets))]
			return l.appendStreet(dst, street, uint64(d)+1)
		}
	case HouseNumber:
		m.capacity = 200
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return appendInt(dst, houseOf(r)) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendInt(dst, n+1) }
	case City:
		m.gather(func(l *locale) []string {
			return each(l.places, func(p place) string { return p.city })
		})
		m.make = func(m *maker, dst []byte, r uint64) []byte { return append(dst, m.place(r).city...) }
	case Region:
		m.gather(func(l *locale) []string {
			return each(l.places, func(p place) string { return p.region })
		})
		m.make = func(m *maker, dst []byte, r uint64) []byte { return append(dst, m.place(r).region...) }
	case PostalCode:
		for _, l := range m.locales {
			for _, p := range l.places {
				m.capacity += places10(p.postal)
			}
		}
		m.make = postal
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendPadded(dst, n, 5) }
	case Country:
		m.gather(func(l *locale) []string { return []string{l.land} })
		m.list = appendNew(m.list, countryNames)
		m.make = func(m *maker, dst []byte, r uint64) []byte { return append(dst, m.locale(r).land...) }
	case CountryCode:
		m.gather(func(l *locale) []string { return []string{l.country} })
		m.list = appendNew(m.list, countryCodes)
		m.make = func(m *maker, dst []byte, r uint64) []byte { return append(dst, m.locale(r).country...) }
	case Latitude:
		m.capacity = 1 << 24
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			return appendDegrees(dst, m.place(r).lat+below(part(r, ofStreet), 1000))
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendPlane(dst, n, 89) }
	case Longitude:
		m.capacity = 1 << 24
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			return appendDegrees(dst, m.place(r).lon+below(part(r, ofHouse), 1000))
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendPlane(dst, n, 179) }
	case FullAddress:
		for _, l := range m.locales {
			m.capacity += uint64(len(l.streets)) * 200 * uint64(len(l.places)) * 100
		}
		m.make = func(m *maker, dst []byte, r uint64) []byte {
			l := m.locale(r)
			return m.appendPlace(l.appendStreet(dst, streetOf(l, r), houseOf(r)), l, r)
		}
		m.unique = func(m *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			l := m.locales[d.take(len(m.locales))]
			p := &l.places[d.take(len(l.places))]
			street := l.streets[d.take(len(l.streets))]
			return l.appendCity(l.appendStreet(dst, street, uint64(d)+1), p, part(n, ofPostal))
		}
	default:
		return false
	}
	return true
}

func (m *maker) place(r uint64) *place {
	l := m.locale(r)
	return &l.places[early(part(r, ofPlace), len(l.places))]
}

func streetOf(l *locale, r uint64) string {
	return l.streets[early(part(r, ofStreet), len(l.streets))]
}

func houseOf(r uint64) uint64 { return uint64(early(part(r, ofHouse), 200)) + 1 }

func (l *locale) appendStreet(dst []byte, street string, house uint64) []byte {
	if l.numberFirst {
		return append(append(appendInt(dst, house), ' '), street...)
	}
	return appendInt(append(append(dst, street...), ' '), house)
}

func (m *maker) appendPlace(dst []byte, l *locale, r uint64) []byte {
	return l.appendCity(dst, m.place(r), part(r, ofPostal))
}

func (l *locale) appendCity(dst []byte, p *place, r uint64) []byte {
	dst = append(dst, ", "...)
	if l.codeFirst {
		dst = append(appendPattern(dst, p.postal, r), ' ')
		return append(dst, p.city...)
	}
	dst = append(append(dst, p.city...), ' ')
	return appendPattern(dst, p.postal, r)
}

// appendDegrees appends ten thousandths as a decimal.
func appendDegrees(dst []byte, v int) []byte {
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	dst = append(appendInt(dst, uint64(v/10000)), '.')
	return appendPadded(dst, uint64(v%10000), 4)
}

// appendPlane appends a number of degrees of at most bound either way, other for
// each n.
func appendPlane(dst []byte, n uint64, bound int) []byte {
	d := digitsOf(n)
	v := d.take(2*bound) - bound
	if v < 0 {
		dst = append(dst, '-')
		v = -v - 1
	}
	dst = append(appendInt(dst, uint64(v)), '.')
	return appendPadded(dst, uint64(d)%10000000000, 10)
}

func each[T any](list []T, of func(T) string) []string {
	var out []string
	for _, v := range list {
		out = append(out, of(v))
	}
	return out
}

// appendNew appends what is not in the list yet.
func appendNew(list, more []string) []string {
	seen := map[string]bool{}
	for _, s := range list {
		seen[s] = true
	}
	for _, s := range more {
		if !seen[s] {
			list = append(list, s)
		}
	}
	return list
}
