package fidelity

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/fidelity.md again")

const (
	truthFile = "testdata/packet.json"
	docFile   = "../../docs/fidelity.md"
)

// comparisons are all cells that were measured, each beside the other tiers.
func comparisons(t *testing.T) (Measured, []Comparison) {
	t.Helper()
	data, err := os.ReadFile(truthFile)
	if err != nil {
		t.Fatal(err)
	}
	var m Measured
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m, slices.Clone(compared(m))
}

// compared is made once for all tests: it takes a while.
func compared(m Measured) []Comparison {
	once.Do(func() {
		for _, r := range m.Results {
			all = append(all, compare(r))
		}
	})
	return all
}

var (
	once sync.Once
	all  []Comparison
)

// TestModel holds tier model against its goals in every cell, in virtual time
// and thus without any luck.
func TestModel(t *testing.T) {
	_, all := comparisons(t)
	for _, c := range all {
		why, known := misses[c.Truth.Cell]
		switch {
		case c.outside() && !known:
			t.Errorf("%s: the model has p50 %.1f and p99 %.1f ms, packets took %.1f and %.1f ms (n %d)",
				c.Truth.Cell, c.Model.P50, c.Model.P99, c.Truth.P50, c.Truth.P99, c.Truth.N)
		case known && !c.outside():
			t.Errorf("%s is within the goals: take it out of the list of misses (%q)", c.Truth.Cell, why)
		}
	}
}

func TestDocs(t *testing.T) {
	m, all := comparisons(t)
	want := document(m, all)
	if *update {
		if err := os.WriteFile(docFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/fidelity.md is not what the tiers do now: go test ./internal/fidelity -run TestDocs -update")
	}
}

func document(m Measured, all []Comparison) []byte {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	slices.SortStableFunc(all, func(x, y Comparison) int {
		a, b := x.Truth.Cell, y.Truth.Cell
		warm := func(c Cell) int {
			if c.Warm {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.RTT, b.RTT), cmp.Compare(a.Loss, b.Loss), cmp.Compare(warm(a), warm(b)), cmp.Compare(a.Size, b.Size))
	})
	p("# How truthful each tier is")
	p("")
	p("This page is generated: `go test ./internal/fidelity -run TestDocs -update`.")
	p("")
	p("A link gives delay and loss in one of three tiers. Tier **packet** delays and loses the real packets of the kernel's own TCP;")
	p("it is taken for the truth here. Tier **model** releases a stream's bytes when a model of TCP says that they would have arrived;")
	p("tier **stream** delays them, and knows of no handshake's second half, window or loss.")
	p("")
	p("## Method")
	p("")
	p("An exchange is a request of %d bytes and an answer of the size in the table, measured by the client up to the last byte.", requestSize)
	p("*Fresh* includes the connect. *Warm* is each of exchanges %d to %d of a connection, back to back, all of the same size.", before+1, before+measured)
	p("Half of the round trip is spent each way, the loss is independent, is that of each direction, and strikes single packets, SYNs included. There is no rate limit and no jitter.")
	p("Both ends are sockets of one machine in two network namespaces with a wire of `internal/packet` between them: Linux %s,", strings.TrimSpace(m.Kernel))
	p("CUBIC, the kernel's default buffer sizes, no metrics kept from connection to connection; %s.", m.Date.Format(time.DateOnly))
	p("Tiers model and stream are computed in virtual time by `internal/shape`, which a link follows.")
	p("")
	p("Both sides are samples. *Error* is the plain difference of the medians, or 99th percentiles. The goals, %.0f %% at p50 and %.0f %% at p99 where n is at least %d,", goal50*100, goal99*100, enoughFor99)
	p("and on paths with loss only, as without there is no chance but the machine's,")
	p("are judged on what is left of it when the range is allowed in which n samples of the model would have theirs: %.0f times of 20 at p50, %.0f of 1000 at p99.", 20*(1-rare50), 1000*(1-rare99))
	p("")
	p("A busy machine makes packets late, and the kernel leave slow start early (HyStart), at 5 ms most of all. How quiet this one was shows in the cells without loss:")
	p("9 of 10 exchanges took at most %.1f %% longer than the quickest of their cell, in the median over these cells.", 100*noise(m.Results))
	p("")
	p("## Result")
	p("")
	out := 0
	var errors50, stream50, errors99 []float64
	for _, c := range all {
		if c.outside() {
			out++
		}
		errors50 = append(errors50, math.Abs(raw50(c.Truth, c.Model)))
		stream50 = append(stream50, math.Abs(raw50(c.Truth, c.Stream)))
		if c.judged99() {
			errors99 = append(errors99, math.Abs(c.Model.P99/c.Truth.P99-1))
		}
	}
	p("%d of %d cells are within the goals.", len(all)-out, len(all))
	plain := 0
	for _, e := range errors50 {
		if e <= 0.20 {
			plain++
		}
	}
	p("Without that allowance, by the plain difference of the medians, %d of %d are within 20 %%.", plain, len(all))
	p("")
	p("| error against packet, over all cells | median | 90th percentile | largest |")
	p("|---|--:|--:|--:|")
	for _, row := range []struct {
		name string
		of   []float64
	}{{"model, p50", errors50}, {"model, p99 of paths with loss", errors99}, {"stream, p50", stream50}} {
		slices.Sort(row.of)
		q := func(share float64) float64 { return 100 * row.of[min(int(share*float64(len(row.of))), len(row.of)-1)] }
		if len(row.of) > 0 {
			p("| %s | %.1f %% | %.1f %% | %.0f %% |", row.name, q(0.5), q(0.9), q(1))
		}
	}
	p("")
	p("The cells in which the model's median is furthest from the packets':")
	p("")
	worst := slices.Clone(all)
	slices.SortStableFunc(worst, func(x, y Comparison) int {
		return cmp.Compare(math.Abs(raw50(y.Truth, y.Model)), math.Abs(raw50(x.Truth, x.Model)))
	})
	table(&b, worst[:min(10, len(worst))])
	if len(misses) > 0 {
		p("")
		p("Outside the goals, and known:")
		p("")
		for _, c := range all {
			if why, known := misses[c.Truth.Cell]; known {
				p("- %s: %s", c.Truth.Cell, why)
			}
		}
	}
	p("")
	p("## Every cell")
	p("")
	p("Times are milliseconds.")
	p("")
	table(&b, all)
	return b.Bytes()
}

// noise is how much longer than the quickest exchange of a cell without loss nine
// of ten take, in the median over these cells.
func noise(results []Result) float64 {
	var excess []float64
	for _, r := range results {
		if r.Loss == 0 {
			excess = append(excess, r.P90/r.Lowest-1)
		}
	}
	slices.Sort(excess)
	return excess[len(excess)/2]
}

func table(b *bytes.Buffer, rows []Comparison) {
	fmt.Fprintln(b, "| round trip | loss | bytes | | n | packet p50 | model p50 | error | stream p50 | error | packet p99 | model p99 | error |")
	fmt.Fprintln(b, "|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, c := range rows {
		k := c.Truth.Cell
		fmt.Fprintf(b, "| %v | %v %% | %d | %s | %d | %.1f | %.1f | %+.0f %% | %.1f | %+.0f %% | %.1f | %.1f | %+.0f %% |\n",
			k.RTT, 100*k.Loss, k.Size, k.state(), c.Truth.N, c.Truth.P50, c.Model.P50, 100*raw50(c.Truth, c.Model),
			c.Stream.P50, 100*raw50(c.Truth, c.Stream), c.Truth.P99, c.Model.P99, 100*(c.Model.P99/c.Truth.P99-1))
	}
}
