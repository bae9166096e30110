package synth

// hashes is a set of numbers that look like chance: open addressing, at most half
// full. It takes less than half of what a map does, which counts for keys of large
// tables. The zero value is an empty set.
type hashes struct {
	slots []uint64 // 0: free
	n     int
}

func (s *hashes) has(h uint64) bool {
	return len(s.slots) > 0 && s.slots[s.find(h)] != 0
}

func (s *hashes) add(h uint64) {
	if 2*s.n >= len(s.slots) {
		old := s.slots
		s.slots = make([]uint64, max(64, 2*len(old)))
		for _, h := range old {
			if h != 0 {
				s.slots[s.find(h)] = h
			}
		}
	}
	if i := s.find(h); s.slots[i] == 0 {
		s.slots[i] = max(h, 1)
		s.n++
	}
}

// find is the slot of a number, or a free one where it is to go. 0 counts as 1.
func (s *hashes) find(h uint64) int {
	h = max(h, 1)
	mask := uint64(len(s.slots) - 1)
	i := h & mask
	for s.slots[i] != 0 && s.slots[i] != h {
		i = (i + 1) & mask
	}
	return int(i)
}
