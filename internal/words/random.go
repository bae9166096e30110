package words

// draw is a stream of numbers that starts from one.
type draw uint64

// mix is SplitMix64's finaliser, a permutation of all 64-bit numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// next is the next number.
func (d *draw) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	return mix(uint64(*d))
}

// below is a number from 0 to n-1.
func (d *draw) below(n int) int { return below(d.next(), n) }

// below takes the upper half of r to a number from 0 to n-1.
func below(r uint64, n int) int { return int(r >> 32 * uint64(n) >> 32) }

// early is below with the first numbers more often: half of all come from the
// first quarter.
func early(r uint64, n int) int {
	u := r >> 32
	return int(u * u >> 32 * uint64(n) >> 32)
}

// The parts of a thing that are drawn apart, so that values of several columns
// made from one number belong together.
const (
	ofLocale = iota + 1
	ofGender
	ofGiven
	ofFamily
	ofPlace
	ofStreet
	ofHouse
	ofPostal
	ofCompany
	ofDomain
	ofPhone
	ofRest
)

// part is the number for one part.
func part(r uint64, of uint64) uint64 { return mix(r ^ of*0xd1342543de82ef95) }
