package words

// Maker makes the values of one meaning. The zero value is of no use: see [For].
type Maker struct{ m *maker }

type maker struct {
	meaning Meaning
	locales []*locale
	list    []string // values to pick from, the likeliest first
	make    func(m *maker, dst []byte, r uint64) []byte
	// unique is nil where a number behind a value makes it unique.
	unique   func(m *maker, dst []byte, n uint64) []byte
	behind   string // what stands between a value and that number
	capacity uint64
}

// For gives the maker of a meaning's values in some locales, as in "de" or
// "pt_BR", the commonest first; false: nobody knows how to make them. Without a
// known locale they are English.
func For(m Meaning, locales []string) (Maker, bool) {
	k := &maker{meaning: m, locales: chosen(locales), behind: " "}
	if !k.person() && !k.address() && !k.business() && !k.internet() && !k.identifier() && !k.text() {
		return Maker{}, false
	}
	if k.list != nil {
		if k.make == nil {
			k.make = (*maker).fromList
		}
		if k.capacity == 0 {
			k.capacity = uint64(len(k.list))
		}
	}
	return Maker{k}, true
}

// Append appends the value that r gives. Values of several meanings made from
// the same r, in the same locales, belong to one person, place and company.
func (m Maker) Append(dst []byte, r uint64) []byte { return m.m.make(m.m, dst, r) }

// AppendUnique appends a value that no other n below 1<<40 gives. The first
// Capacity of them look no different from those that Append makes, those beyond
// are longer.
func (m Maker) AppendUnique(dst []byte, n uint64) []byte { return m.m.appendUnique(dst, n) }

// Capacity is how many different values Append makes, roughly.
func (m Maker) Capacity() uint64 { return m.m.capacity }

func (m *maker) appendUnique(dst []byte, n uint64) []byte {
	switch {
	case m.unique != nil:
		return m.unique(m, dst, n)
	case m.list != nil:
		return m.uniqueFromList(dst, n)
	}
	dst = m.make(m, dst, mix(n))
	dst = append(dst, m.behind...)
	return appendInt(dst, n)
}

func (m *maker) fromList(dst []byte, r uint64) []byte {
	return append(dst, m.list[early(part(r, ofRest), len(m.list))]...)
}

func (m *maker) uniqueFromList(dst []byte, n uint64) []byte {
	k := uint64(len(m.list))
	dst = append(dst, m.list[n%k]...)
	if n >= k {
		dst = append(dst, m.behind...)
		dst = appendInt(dst, n/k+1)
	}
	return dst
}

// locale is that of r.
func (m *maker) locale(r uint64) *locale {
	if len(m.locales) == 1 {
		return m.locales[0]
	}
	return m.locales[early(part(r, ofLocale), len(m.locales))]
}

// gather makes the list from all locales, each value once, the locales' first
// values first.
func (m *maker) gather(of func(l *locale) []string) {
	var lists [][]string
	longest := 0
	for _, l := range m.locales {
		list := of(l)
		lists = append(lists, list)
		longest = max(longest, len(list))
	}
	seen := map[string]bool{}
	for i := range longest {
		for _, list := range lists {
			if i < len(list) && !seen[list[i]] {
				seen[list[i]] = true
				m.list = append(m.list, list[i])
			}
		}
	}
}

// digitsOf takes a number apart, the last digit first, each of another base.
type digitsOf uint64

func (d *digitsOf) take(base int) int {
	v := uint64(*d) % uint64(base)
	*d = digitsOf(uint64(*d) / uint64(base))
	return int(v)
}
