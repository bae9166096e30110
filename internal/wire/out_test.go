package wire

import "testing"

func TestBytesThatPassAreOneOp(t *testing.T) {
	var o Out
	p := []byte("abcdef")
	o.ToServer(p[:2])
	o.ToServer(nil)
	o.ToServer(p[2:4])
	o.ToServer(p[4:])
	if len(o.Server) != 1 || string(o.Server[0].Bytes) != "abcdef" {
		t.Errorf("got %v, want one op with all", o.Server)
	}
	// Equal bytes elsewhere, or bytes with a gap between, are others.
	o.Clear()
	o.ToServer(p[:2])
	o.ToServer([]byte("cd"))
	o.ToServer(p[3:])
	if len(o.Server) != 3 {
		t.Errorf("got %v, want three ops", o.Server)
	}
	o.Clear()
	if len(o.Server)+len(o.Client) != 0 {
		t.Errorf("%v is left", o)
	}
}

func TestKept(t *testing.T) {
	var k Kept
	k.Add([]byte("ab"))
	if got := string(k.Add([]byte("cd"))); got != "abcd" || k.Len() != 4 {
		t.Fatalf("kept %q", got)
	}
	first := k.Take()
	k.Add([]byte("efgh"))
	if string(first) != "abcd" || k.Len() != 4 {
		t.Errorf("what was taken became %q", first)
	}
	if got := string(k.Take()); got != "efgh" || k.Len() != 0 {
		t.Errorf("took %q", got)
	}
}

func TestQueue(t *testing.T) {
	var q Queue[int]
	next, want := 0, 0
	for round := range 100 {
		for range round % 7 {
			q.Push(next)
			next++
		}
		for range round % 5 {
			if q.Len() == 0 {
				break
			}
			if got := *q.Front(); got != want {
				t.Fatalf("got %d, want %d", got, want)
			}
			q.Pop()
			want++
		}
		if q.Len() != next-want || q.Len() > 0 && *q.Back() != next-1 {
			t.Fatalf("length %d, want %d", q.Len(), next-want)
		}
	}
	if q.Any(func(i *int) bool { return *i < want }) || !q.Any(func(i *int) bool { return *i == want }) {
		t.Error("what was popped is still there, or the rest is not")
	}
}
