package rows

import "strconv"

// AppendDecimal appends n × 10^-scale as every database reads it: "-12.340".
func AppendDecimal(dst []byte, n int64, scale int) []byte {
	u := uint64(n)
	if n < 0 {
		dst, u = append(dst, '-'), -u
	}
	if scale == 0 {
		return strconv.AppendUint(dst, u, 10)
	}
	var digits [20]byte
	d := strconv.AppendUint(digits[:0], u, 10)
	if len(d) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(d) {
			dst = append(dst, '0')
		}
		return append(dst, d...)
	}
	point := len(d) - scale
	return append(append(append(dst, d[:point]...), '.'), d[point:]...)
}
