package fidelity

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/link"
)

// short are cells whose least time hardly depends on how busy a machine is:
// each is round trips, and little else.
var short = []Cell{
	{RTT: 50 * time.Millisecond, Size: 64}, {RTT: 50 * time.Millisecond, Size: 64, Warm: true},
	{RTT: 50 * time.Millisecond, Size: 50_000}, {RTT: 100 * time.Millisecond, Size: 200_000},
	{RTT: 100 * time.Millisecond, Loss: 0.01, Size: 64}, {RTT: 200 * time.Millisecond, Size: 10_000},
}

// slack is how much longer the least of some exchanges may take here than
// elsewhere.
const slack = 0.20

// TestPacketsAreAsMeasured measures a few cells again: what stands in testdata
// is what this kernel and this wire do.
func TestPacketsAreAsMeasured(t *testing.T) {
	dial := packets(t, short)
	data, err := os.ReadFile(truthFile)
	if err != nil {
		t.Fatal(err)
	}
	var m Measured
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	want := map[Cell]float64{}
	for _, r := range m.Results {
		want[r.Cell] = r.Lowest
	}
	checkShort(t, dial, func(c Cell) float64 { return want[c] })
}

// TestLinkFollowsTheModel measures the same cells over links on loopback: what
// virtual time says is what a link does.
func TestLinkFollowsTheModel(t *testing.T) {
	for _, tier := range []rehearse.Tier{rehearse.TierModel, rehearse.TierStream} {
		t.Run(string(tier), func(t *testing.T) {
			checkShort(t, links(t, tier), func(c Cell) float64 { return at(virtual(tier, c, 100), 0) })
		})
	}
}

// checkShort compares the least times of the short cells, in milliseconds. A
// busy machine makes them longer and never shorter, so one that is too long is
// measured again, for as long as something else may keep it busy.
func checkShort(t *testing.T, dial dial, want func(Cell) float64) {
	t.Helper()
	left := short
	for rounds := 40; len(left) > 0; rounds-- {
		results, err := measure(t.Context(), work{cells: left, samples: 12, bytesPerSecond: 20e6, most: 20}, dial)
		if err != nil {
			t.Fatal(err)
		}
		left = nil
		for _, r := range results {
			w := want(r.Cell)
			switch {
			case r.Lowest > w*(1+slack) && rounds > 1:
				left = append(left, r.Cell)
			case r.Lowest > w*(1+slack), r.Lowest < w*(1-slack):
				t.Errorf("%s took %.1f ms at least, want %.1f", r.Cell, r.Lowest, w)
			}
		}
	}
}

// links dials over a link of a tier for each path.
func links(t *testing.T, tier rehearse.Tier) dial {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	upstream := listen(t)
	go serve(upstream, sizes[len(sizes)-1])
	type key struct {
		rtt  time.Duration
		loss float64
	}
	address := map[key]string{}
	for _, c := range short {
		k := key{c.RTT, c.Loss}
		if address[k] != "" {
			continue
		}
		l := link.New(rehearse.LinkSpec{ID: "client:upstream", Shape: path(c.RTT, c.Loss), Tier: tier}, 1)
		ln := listen(t)
		address[k] = ln.Addr().String()
		ended := make(chan error)
		go func() {
			ended <- l.Serve(ctx, ln, func(ctx context.Context) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "tcp", upstream.Addr().String())
			})
		}()
		t.Cleanup(func() {
			stop()
			<-ended
		})
	}
	return func(ctx context.Context, rtt time.Duration, loss float64) (net.Conn, time.Time, error) {
		start := time.Now()
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address[key{rtt, loss}])
		return conn, start, err
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}
