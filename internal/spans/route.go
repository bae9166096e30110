package spans

import "strings"

// Route is a path with what looks like the name of one thing among many put into
// braces: "/documents/17" is "/documents/{id}". A service knows its routes, a
// link has to guess.
func Route(path string) string {
	if !strings.ContainsAny(path, "0123456789") && len(path) <= maxSegment {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if isIdentifier(s) {
			segments[i] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

// maxSegment is how long a word of a route may be.
const maxSegment = 40

// isIdentifier reports whether a segment is a number, a UUID, a hash, a date, or
// another mixture that no route is called by. "v2" and "oauth2" are words.
func isIdentifier(s string) bool {
	digits, letters, others := 0, 0, 0
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
		default:
			others++
		}
	}
	switch {
	case len(s) > maxSegment:
		return true
	case digits == 0:
		return false
	case letters == 0:
		return true
	}
	// A letter or two before a number, as in an order's "A1234", or enough digits
	// among letters that they count nothing.
	return digits >= 4 || len(s) >= 16 && digits >= 2
}
