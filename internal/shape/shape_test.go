package shape_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newLane(line *shape.Line, seed uint64) shape.Lane {
	return shape.NewLane(line, rand.New(rand.NewPCG(seed, 0)))
}

func ms(n float64) rehearse.Duration {
	return rehearse.Duration(n * float64(time.Millisecond))
}

func TestDue(t *testing.T) {
	type chunk struct {
		at   time.Duration
		n    int
		path rehearse.Path
	}
	const Mbit = rehearse.Mbit
	delayed := rehearse.Path{Delay: ms(42)}
	tests := []struct {
		name   string
		chunks []chunk
		want   []time.Duration
	}{
		{
			name:   "a flat path is a wire",
			chunks: []chunk{{0, 100, rehearse.Path{}}, {time.Millisecond, 1 << 20, rehearse.Path{}}},
			want:   []time.Duration{0, time.Millisecond},
		},
		{
			name:   "delay moves every chunk alike",
			chunks: []chunk{{0, 1, delayed}, {time.Millisecond, 60000, delayed}, {2 * time.Millisecond, 0, delayed}},
			want:   []time.Duration{42 * time.Millisecond, 43 * time.Millisecond, 44 * time.Millisecond},
		},
		{
			name: "a chunk has left when its last byte has",
			// 1000 bytes are 8000 bits: 1 ms at 8 Mbit/s.
			chunks: []chunk{{0, 1000, rehearse.Path{Rate: 8 * Mbit}}},
			want:   []time.Duration{time.Millisecond},
		},
		{
			name: "chunks queue for the line, and an idle line saves nothing up",
			chunks: []chunk{
				{0, 1000, rehearse.Path{Rate: 8 * Mbit}},
				{0, 1000, rehearse.Path{Rate: 8 * Mbit}},
				{10 * time.Millisecond, 1000, rehearse.Path{Rate: 8 * Mbit}},
			},
			want: []time.Duration{time.Millisecond, 2 * time.Millisecond, 11 * time.Millisecond},
		},
		{
			name: "rate and delay add up",
			chunks: []chunk{
				{0, 1000, rehearse.Path{Rate: 8 * Mbit, Delay: ms(10)}},
				{0, 1000, rehearse.Path{Rate: 8 * Mbit, Delay: ms(10)}},
			},
			want: []time.Duration{11 * time.Millisecond, 12 * time.Millisecond},
		},
		{
			name:   "a shorter delay does not overtake",
			chunks: []chunk{{0, 1, delayed}, {time.Millisecond, 1, rehearse.Path{}}, {50 * time.Millisecond, 1, rehearse.Path{}}},
			want:   []time.Duration{42 * time.Millisecond, 42 * time.Millisecond, 50 * time.Millisecond},
		},
		{
			name:   "negative settings do nothing",
			chunks: []chunk{{0, 1000, rehearse.Path{Delay: -1, Jitter: -1, Rate: -1}}},
			want:   []time.Duration{0},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			lane := newLane(new(shape.Line), 1)
			var got []time.Duration
			for _, c := range test.chunks {
				got = append(got, lane.Due(c.path, start.Add(c.at), c.n).Sub(start))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("due times (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRateIsTheLinks(t *testing.T) {
	line := new(shape.Line)
	path := rehearse.Path{Rate: 8 * rehearse.Mbit}
	a, b := newLane(line, 1), newLane(line, 2)
	var last time.Time
	for range 50 {
		a.Due(path, start, 1000)
		last = b.Due(path, start, 1000)
	}
	if got, want := last.Sub(start), 100*time.Millisecond; got != want {
		t.Errorf("two connections sent 100 kB at 8 Mbit/s in %v, want %v", got, want)
	}
	// Lifting the limit frees a newcomer at once.
	c := newLane(line, 3)
	if got := c.Due(rehearse.Path{}, start, 1000).Sub(start); got != 0 {
		t.Errorf("a newcomer to an unlimited line waits %v, want 0s", got)
	}
}

func TestJitterIsNormal(t *testing.T) {
	lane := newLane(new(shape.Line), 7)
	path := rehearse.Path{Delay: ms(42), Jitter: ms(3)}
	const n = 20000
	var sum, squares float64
	for i := range n {
		at := start.Add(time.Duration(i) * time.Second) // far apart: no chunk holds up the next
		d := lane.Due(path, at, 1).Sub(at).Seconds() * 1000
		sum += d
		squares += d * d
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	if math.Abs(mean-42) > 0.1 || math.Abs(deviation-3) > 0.1 {
		t.Errorf("delay is %.2f ± %.2f ms, want 42 ± 3", mean, deviation)
	}
}

func TestJitterIsReproducible(t *testing.T) {
	path := rehearse.Path{Delay: ms(42), Jitter: ms(3)}
	draw := func(seed uint64) (out []time.Duration) {
		lane := newLane(new(shape.Line), seed)
		for i := range 20 {
			at := start.Add(time.Duration(i) * time.Second)
			out = append(out, lane.Due(path, at, 1).Sub(at))
		}
		return out
	}
	if diff := cmp.Diff(draw(5), draw(5)); diff != "" {
		t.Errorf("the same seed gave two series:\n%s", diff)
	}
	if cmp.Equal(draw(5), draw(6)) {
		t.Error("two seeds gave the same series")
	}
}

func TestWindow(t *testing.T) {
	tests := []struct {
		name          string
		path          rehearse.Path
		chunk, window int
	}{
		{"unlimited", rehearse.Path{Delay: ms(42)}, shape.MaxChunk, shape.MaxWindow},
		{"more than the cap", rehearse.Path{Delay: ms(42), Rate: rehearse.Gbit}, shape.MaxChunk, shape.MaxWindow},
		{"flight and backlog", rehearse.Path{Delay: ms(50), Rate: 8 * rehearse.Mbit}, 5000, 100_000},
		{"a connection's rate", rehearse.Path{Delay: ms(50), Rate: rehearse.Gbit, ConnectionRate: 8 * rehearse.Mbit}, 5000, 100_000},
		{"flight and limit", rehearse.Path{Delay: ms(50), Rate: 8 * rehearse.Mbit, Limit: 20_000}, 5000, 70_000},
		{"hardly a limit", rehearse.Path{Rate: 8 * rehearse.Mbit, Limit: 1}, 5000, 10_000},
		{"hardly anything", rehearse.Path{Rate: rehearse.Kbit}, 256, 512},
		{"absurd", rehearse.Path{Delay: math.MaxInt64, Jitter: math.MaxInt64, Rate: math.MaxInt64, Limit: math.MaxInt64}, shape.MaxChunk, shape.MaxWindow},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := shape.Chunk(test.path); got != test.chunk {
				t.Errorf("Chunk is %d, want %d", got, test.chunk)
			}
			if got := shape.Window(test.path); got != test.window {
				t.Errorf("Window is %d, want %d", got, test.window)
			}
		})
	}
}

// FuzzDue holds the two promises of a lane for any path that changes while the
// connection lives: nothing is early and nothing overtakes.
func FuzzDue(f *testing.F) {
	f.Add(uint64(1), int64(42*time.Millisecond), int64(3*time.Millisecond), int64(rehearse.Gbit), 1448)
	f.Add(uint64(2), int64(0), int64(time.Second), int64(1), 1)
	f.Add(uint64(3), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), math.MaxInt)
	f.Add(uint64(4), int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), math.MinInt)
	f.Fuzz(func(t *testing.T, seed uint64, delay, jitter, rate int64, n int) {
		asked := rehearse.Path{Delay: rehearse.Duration(delay), Jitter: rehearse.Duration(jitter), Rate: rehearse.Rate(rate)}
		paths := []rehearse.Path{asked, {Delay: asked.Delay}, {Jitter: asked.Jitter}, {Rate: asked.Rate}, {}}
		random := rand.New(rand.NewPCG(seed, 1))
		line := new(shape.Line)
		lanes := []shape.Lane{newLane(line, seed), newLane(line, seed+1)}
		last := make([]time.Time, len(lanes))
		at := start
		for i := range 64 {
			at = at.Add(time.Duration(random.Int64N(int64(10 * time.Millisecond))))
			lane := random.IntN(len(lanes))
			path := paths[random.IntN(len(paths))]
			due := lanes[lane].Due(path, at, n)
			if due.Before(at) {
				t.Fatalf("chunk %d on %v: due %v before it arrived", i, path, at.Sub(due))
			}
			if due.Before(last[lane]) {
				t.Fatalf("chunk %d on %v: due %v before the chunk ahead", i, path, last[lane].Sub(due))
			}
			last[lane] = due
		}
		if c := shape.Chunk(asked); c < 1 || c > shape.MaxChunk {
			t.Fatalf("Chunk is %d", c)
		}
		if w := shape.Window(asked); w < shape.Chunk(asked) || w > shape.MaxWindow {
			t.Fatalf("Window is %d", w)
		}
	})
}
