package words

import "strings"

// internet makes the maker one of a meaning of the internet.
func (m *maker) internet() bool {
	slugs := uint64(len(english().adjectives) * len(english().nouns))
	switch m.meaning {
	case URL:
		m.capacity = slugs * 1000
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			return appendURL(dst, part(r, ofDomain), part(r, ofRest)>>54)
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendURL(dst, mix(n), n) }
	case Domain:
		m.capacity = slugs * 4
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			x := part(r, ofDomain)
			return append(appendSlug(dst, x), domainEnds[below(x<<24, len(domainEnds))]...)
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte {
			return append(appendSlugNumber(dst, n), domainEnds[n%uint64(len(domainEnds))]...)
		}
	case Hostname:
		m.capacity = uint64(len(hostRoles)) * 1000
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			x := part(r, ofRest)
			return appendHost(dst, early(x, len(hostRoles)), uint64(early(x<<24, 60)))
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte {
			d := digitsOf(n)
			return appendHost(dst, d.take(len(hostRoles)), uint64(d))
		}
	case IPv4:
		m.capacity = 3 * 256
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return appendIPv4(dst, part(r, ofRest)%(3*256)) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendIPv4(dst, n) }
	case IPv6:
		m.capacity = 1 << 48
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return appendIPv6(dst, part(r, ofRest)) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendIPv6(dst, mix(n)) }
	case MAC:
		m.capacity = 1 << 40
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return appendMAC(dst, part(r, ofRest)) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendMAC(dst, n*odd40) }
	case UserAgent:
		m.capacity = uint64(len(userAgents)) * 30
		m.behind = " app/"
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			x := part(r, ofRest)
			return appendVersioned(dst, userAgents[early(x, len(userAgents))], uint64(100+early(x<<24, 30)))
		}
	case Path:
		m.capacity = slugs * 100
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return appendPath(dst, part(r, ofRest), 0) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendPath(dst, mix(n), n+1) }
	case Slug:
		m.capacity = slugs
		m.make = func(_ *maker, dst []byte, r uint64) []byte { return appendSlug(dst, part(r, ofRest)) }
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendSlugNumber(dst, n) }
	case MIMEType:
		m.list, m.behind = mimeTypes, "; v="
	case FileName:
		m.capacity = slugs * uint64(len(extensions))
		m.make = func(_ *maker, dst []byte, r uint64) []byte {
			x := part(r, ofRest)
			return appendExtension(appendSlug(dst, x), x)
		}
		m.unique = func(_ *maker, dst []byte, n uint64) []byte { return appendExtension(appendSlugNumber(dst, n), mix(n)) }
	default:
		return false
	}
	return true
}

// odd40 is odd, so that multiplication with it permutes the numbers below 1<<40.
const odd40 = 0x9e3779b97f

var domainEnds = []string{".example.com", ".example", ".test", ".example.org", ".example.net"}

var hostRoles = []string{"web", "app", "db", "cache", "worker", "api", "mail", "proxy", "queue", "build", "node", "search", "files", "auth", "monitor", "backup"}

func english() *locale { return locales()[0] }

// appendSlug appends two English words with a dash.
func appendSlug(dst []byte, r uint64) []byte {
	l := english()
	dst = append(dst, l.adjectives[below(r, len(l.adjectives))]...)
	dst = append(dst, '-')
	return append(dst, l.nouns[below(r<<16, len(l.nouns))]...)
}

// appendSlugNumber appends another slug for each n.
func appendSlugNumber(dst []byte, n uint64) []byte {
	l := english()
	d := digitsOf(n)
	noun := d.take(len(l.nouns))
	adjective := (d.take(len(l.adjectives)) + noun*5) % len(l.adjectives)
	dst = append(append(dst, l.adjectives[adjective]...), '-')
	dst = append(dst, l.nouns[noun]...)
	if d > 0 {
		dst = appendInt(append(dst, '-'), uint64(d)+1)
	}
	return dst
}

func appendURL(dst []byte, r, n uint64) []byte {
	l := english()
	dst = append(dst, "https://"...)
	if r&1 == 0 {
		dst = append(dst, "www"...)
	} else {
		dst = append(dst, l.nouns[below(r, len(l.nouns))]...)
	}
	dst = append(dst, domainEnds[early(r<<20, len(domainEnds))]...)
	dst = append(dst, '/')
	dst = append(dst, l.nouns[below(r<<8, len(l.nouns))]...)
	dst = append(dst, '/')
	return appendInt(append(appendSlug(dst, r<<4), '-'), n)
}

func appendHost(dst []byte, role int, n uint64) []byte {
	dst = append(dst, hostRoles[role]...)
	dst = appendPadded(dst, n+1, 2)
	return append(dst, ".example.com"...)
}

// appendIPv4 appends an address for documentation (RFC 5737), for benchmarks
// (RFC 2544) behind those, then a private one, and a port where there are none
// left.
func appendIPv4(dst []byte, n uint64) []byte {
	const documentation, benchmark = 3 * 256, 1 << 17
	switch {
	case n < 256:
		return appendInt(append(dst, "192.0.2."...), n)
	case n < 512:
		return appendInt(append(dst, "198.51.100."...), n-256)
	case n < documentation:
		return appendInt(append(dst, "203.0.113."...), n-512)
	case n < documentation+benchmark:
		n -= documentation
		dst = appendInt(append(dst, "198."...), 18+n>>16)
	default:
		n -= documentation + benchmark
		dst = appendInt(append(dst, "10."...), n>>16&255)
	}
	dst = appendInt(append(dst, '.'), n>>8&255)
	dst = appendInt(append(dst, '.'), n&255)
	if n>>24 > 0 {
		dst = appendInt(append(dst, ':'), n>>24)
	}
	return dst
}

// appendIPv6 appends an address for documentation (RFC 3849).
func appendIPv6(dst []byte, x uint64) []byte {
	dst = append(dst, "2001:db8"...)
	for range 4 {
		dst = append(dst, ':')
		group := x >> 48
		x <<= 16
		started := false
		for s := 12; s >= 0; s -= 4 {
			digit := group >> s & 15
			if started = started || digit > 0 || s == 0; started {
				dst = append(dst, hexDigits[digit])
			}
		}
	}
	return append(dst, "::1"...)
}

// appendMAC appends a locally administered address of 40 bits of x.
func appendMAC(dst []byte, x uint64) []byte {
	dst = append(dst, "02"...)
	for s := 32; s >= 0; s -= 8 {
		dst = append(dst, ':', hexDigits[x>>(s+4)&15], hexDigits[x>>s&15])
	}
	return dst
}

// appendVersioned appends a text with a number for #.
func appendVersioned(dst []byte, s string, version uint64) []byte {
	before, behind, _ := strings.Cut(s, "#")
	return append(appendInt(append(dst, before...), version), behind...)
}

var pathRoots = []string{"/var/data/", "/srv/files/", "/home/app/", "/uploads/", "/mnt/share/", "/opt/app/"}

func appendPath(dst []byte, x, number uint64) []byte {
	l := english()
	dst = append(dst, pathRoots[below(x<<28, len(pathRoots))]...)
	dst = append(append(dst, l.nouns[below(x<<12, len(l.nouns))]...), '/')
	dst = appendSlug(dst, x)
	if number > 0 {
		dst = appendInt(append(dst, '-'), number)
	}
	return appendExtension(dst, x)
}

func appendExtension(dst []byte, x uint64) []byte {
	return append(append(dst, '.'), extensions[early(x<<24, len(extensions))]...)
}
