package wire

// Queue is what is owed on a connection, in order. The zero value is empty, and
// one that is emptied now and then allocates nothing.
type Queue[T any] struct {
	all   []T
	start int
}

// Len is how many there are.
func (q *Queue[T]) Len() int { return len(q.all) - q.start }

// Front is the oldest. Push and Pop move it.
func (q *Queue[T]) Front() *T { return &q.all[q.start] }

// Back is the newest. Push and Pop move it.
func (q *Queue[T]) Back() *T { return &q.all[len(q.all)-1] }

// Push adds one at the back.
func (q *Queue[T]) Push(v T) {
	if len(q.all) == cap(q.all) && q.start > len(q.all)/2 {
		n := copy(q.all, q.all[q.start:])
		clear(q.all[n:])
		q.all, q.start = q.all[:n], 0
	}
	q.all = append(q.all, v)
}

// Pop takes the oldest away.
func (q *Queue[T]) Pop() {
	var zero T
	q.all[q.start] = zero
	q.start++
	if q.start == len(q.all) {
		q.all, q.start = q.all[:0], 0
	}
}

// Any reports whether f is true of one of them.
func (q *Queue[T]) Any(f func(*T) bool) bool {
	for i := q.start; i < len(q.all); i++ {
		if f(&q.all[i]) {
			return true
		}
	}
	return false
}
