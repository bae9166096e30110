package shape_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

func TestZZGrid(t *testing.T) {
	f, err := os.Open(os.Getenv("GRID"))
	if err != nil {
		t.Skip()
	}
	type cell struct {
		RTT, Loss, Rate, Limit float64
		R                      float64 `json:"rtt_ms"`
		Size, N                int
		Mode                   string
		P50                    float64 `json:"p50_ms"`
		P90                    float64 `json:"p90_ms"`
		P99                    float64 `json:"p99_ms"`
		Mean                   float64 `json:"mean_ms"`
	}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var c cell
		if json.Unmarshal(sc.Bytes(), &c) != nil {
			continue
		}
		p := rehearse.Path{Delay: rehearse.Duration(c.R / 2 * 1e6), Loss: c.Loss, Rate: rehearse.Rate(c.Rate), Limit: int64(c.Limit)}
		s := rehearse.Shape{Up: p, Down: p}
		var v []float64
		n := 3000
		began := time.Now()
		for i := 0; len(v) < n && time.Since(began) < time.Second; i++ {
			rng := rand.New(rand.NewPCG(uint64(i)*0x9e3779b97f4a7c15+77, 1))
			e, took := shape.Connect(rehearse.TierModel, rng, s)
			if c.Mode == "fresh" {
				took += e.Do(64, c.Size)
				v = append(v, took.Seconds()*1000)
			} else {
				for range 4 {
					e.Do(64, c.Size)
				}
				for range 4 {
					v = append(v, e.Do(64, c.Size).Seconds()*1000)
				}
			}
		}
		slices.Sort(v)
		q := func(p float64) float64 { return v[min(len(v)-1, int(p*float64(len(v))))] }
		mean := 0.
		for _, x := range v {
			mean += x / float64(len(v))
		}
		e := func(m, w float64) string { return fmt.Sprintf("%7.0f/%7.0f %+4.0f%%", m, w, (m/w-1)*100) }
		mark := ""
		if x := q(.5)/c.P50 - 1; x > .2 || x < -.2 {
			mark = " <<<"
		}
		fmt.Printf("%3.0f %.3f %8.0f %7d %-5s n %3d p50 %s  p90 %s  p99 %s  mean %s%s\n", c.R, c.Loss, c.Rate, c.Size, c.Mode, c.N, e(q(.5), c.P50), e(q(.9), c.P90), e(q(.99), c.P99), e(mean, c.Mean), mark)
	}
}
