package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

func TestPrint(t *testing.T) {
	direct, link, peer := []float64{4000, 4100, 3900}, []float64{2000, 2460, 2340}, []float64{500, 512, 487.5}
	r := report{
		Machine: "2 processors", Toxiproxy: "v2", Seconds: 12, Others: 0.25,
		Rows: []row{
			{
				Case: "bulk", Unit: "MB/s", Direct: newFigure(direct), Link: newFigure(link), Toxiproxy: newFigure(peer),
				Checks: []check{
					newCheck(each(link, direct, divide), "of direct", figures.AtLeast(0.6)),
					newCheck(each(link, peer, divide), "× Toxiproxy", figures.AtLeast(4.9)),
				},
			},
			{Case: "memory", Unit: "KiB", Link: newFigure([]float64{9.5}), Checks: []check{newCheck([]float64{0.25}, "of Toxiproxy", figures.AtMost(0.25))}},
			{Case: "processor", Unit: "s", Link: newFigure([]float64{0})},
		},
		Failed: []figures.Failure{{Case: "pgbench", Why: "not installed"}},
	}
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	want := `| case         | direct   | link      | Toxiproxy | ratio                            | goal    | met?   |
|--------------|----------|-----------|-----------|----------------------------------|---------|--------|
| bulk, MB/s   | 4000 ±2% | 2340 ±10% | 500 ±2%   | 0.600 of direct (0.500 to 0.600) | ≥ 0.600 | met    |
|              |          |           |           | 4.80 × Toxiproxy (4.00 to 4.80)  | ≥ 4.90  | MISSED |
| memory, KiB  | –        | 9.50      | –         | 0.250 of Toxiproxy               | ≤ 0.250 | met    |
| processor, s | –        | 0.000     | –         |                                  |         |        |

Medians of interleaved rounds; ± and what stands in parentheses are of the quartiles.
2 processors; Toxiproxy v2; 12 s, in which others used 25% of the machine.
2 of 3 goals met.
MISSED bulk: 4.80 × Toxiproxy, goal ≥ 4.90
NOT MEASURED pgbench: not installed
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestFigures(t *testing.T) {
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"median of one", median([]float64{3}), 3},
		{"median of an even number", median([]float64{4, 1, 3, 2}), 2.5},
		{"p99 of a hundred", quantile(oneTo(100), 0.99), 99},
		{"p50 of a hundred", quantile(oneTo(100), 0.5), 50},
		{"p0", quantile(oneTo(100), 0), 1},
		{"p100", quantile(oneTo(100), 1), 100},
	} {
		if math.Abs(test.got-test.want) > 1e-9 {
			t.Errorf("%s is %v, want %v", test.name, test.got, test.want)
		}
	}
	for v, want := range map[float64]string{0: "0.000", 0.1234: "0.123", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 1234.5: "1234", -12.34: "-12.3"} {
		if got := figures.Digits(v); got != want {
			t.Errorf("figures.Digits(%v) is %s, want %s", v, got, want)
		}
	}
}

func oneTo(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i + 1)
	}
	return out
}
