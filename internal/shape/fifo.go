package shape

// fifo is a queue that stops allocating once it has been as long as it gets.
type fifo[T any] struct {
	items []T
	head  int
	gone  int // how many were ever taken out
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

// front is the item that pop takes out. The queue must not be empty.
func (f *fifo[T]) front() *T { return &f.items[f.head] }

func (f *fifo[T]) push(item T) {
	if f.head > 0 && len(f.items) == cap(f.items) && f.head >= len(f.items)/2 {
		f.items = f.items[:copy(f.items, f.items[f.head:])]
		f.head = 0
	}
	f.items = append(f.items, item)
}

func (f *fifo[T]) pop() {
	f.head++
	f.gone++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
}
