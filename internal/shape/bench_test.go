package shape_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// BenchmarkTCP is what the simulation costs for each byte that it carries.
func BenchmarkTCP(b *testing.B) {
	wan := rehearse.Path{Delay: ms(25)}
	gbit := rehearse.Path{Delay: ms(25), Rate: rehearse.Gbit}
	jittery := rehearse.Path{Delay: ms(25), Jitter: ms(1)}
	lossy := rehearse.Path{Delay: ms(2), Loss: 0.001}
	for _, bench := range []struct {
		name string
		path rehearse.Path
	}{{"wire", rehearse.Path{}}, {"wan", wan}, {"gbit", gbit}, {"jittery", jittery}, {"lossy", lossy}} {
		b.Run(bench.name, func(b *testing.B) {
			const chunk = 64 << 10
			f := shape.NewTCP(new(shape.Line), new(shape.Line), rand.New(rand.NewPCG(1, 2)), bench.path, bench.path)
			at, got := start, 0
			b.SetBytes(chunk)
			b.ReportAllocs()
			for b.Loop() {
				for f.Room() < chunk {
					at = later(at, f.Next())
					for n, _ := f.Deliver(at); n > 0; n, _ = f.Deliver(at) {
						got += n
					}
				}
				f.Send(at, chunk)
			}
			if at.After(start) {
				b.ReportMetric(float64(got)*8/1e9/at.Sub(start).Seconds(), "Gbit/s")
			}
		})
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
