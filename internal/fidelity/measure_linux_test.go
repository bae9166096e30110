package fidelity

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	out       = flag.String("out", "", "measure the grid over tier packet and write it to this file")
	samples   = flag.Int("samples", 40, "samples of each cell")
	maxLength = flag.Duration("longest", time.Hour, "leave out cells whose exchange is expected to take longer")
)

// grid is every cell of the axes.
func grid(longest time.Duration) []Cell {
	var cells []Cell
	for _, rtt := range rtts {
		for _, loss := range losses {
			for _, size := range sizes {
				for _, warm := range []bool{false, true} {
					if c := (Cell{RTT: rtt, Loss: loss, Size: size, Warm: warm}); expected(c) <= longest {
						cells = append(cells, c)
					}
				}
			}
		}
	}
	return cells
}

func TestMeasurePackets(t *testing.T) {
	if *out == "" {
		t.Skip("measures only when told where to write: -out FILE")
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	cells := grid(*maxLength)
	save := func(r []Result) {
		data, err := json.MarshalIndent(Measured{"packet", string(kernel), time.Now().UTC(), r}, "", " ")
		if err == nil {
			err = os.MkdirAll(filepath.Dir(*out), 0o755)
		}
		if err == nil {
			err = os.WriteFile(*out, data, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
	results, err := measure(t.Context(), work{cells: cells, samples: *samples, bytesPerSecond: 60e6, most: 150, progress: save}, packets(t, cells))
	if err != nil {
		t.Error(err)
	}
	save(results)
}
