package telemetry

// budget shares an amount among several, so that none can take all of it. Half
// of it is set aside in equal parts, one for each share, which nobody else can
// take; the other half is for whoever comes first. So a share below its part is
// never refused, whatever the others do, and nothing has to be evicted for it.
type budget struct {
	total int64
	used  []int64 // by share
}

// take takes n for a share, and reports whether there was room for it.
func (b *budget) take(share int, n int64) bool {
	part := b.total / 2 / int64(len(b.used))
	var borrowed int64
	for i, used := range b.used {
		if i == share {
			used += n
		}
		borrowed += max(0, used-part)
	}
	if b.used[share]+n > part && borrowed > b.total/2 {
		return false
	}
	b.used[share] += n
	return true
}

// give returns n of what a share has taken; a negative n takes more without
// asking.
func (b *budget) give(share int, n int64) { b.used[share] -= n }

// sum is what all shares have taken.
func (b *budget) sum() int64 {
	var sum int64
	for _, used := range b.used {
		sum += used
	}
	return sum
}
