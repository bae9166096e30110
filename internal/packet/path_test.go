package packet

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestFaultsFold(t *testing.T) {
	base := rehearse.Path{Delay: ms(10), Jitter: ms(3), Loss: 0.5, Rate: 10 * rehearse.Mbit, Limit: 1000}
	faults := []rehearse.Fault{
		{Kind: rehearse.FaultDelay, Delay: ms(5), Jitter: ms(4), Distribution: rehearse.Uniform, Correlation: 0.1},
		{Kind: rehearse.FaultLoss, Share: 0.5, Burst: 3},
		{Kind: rehearse.FaultRate, Rate: rehearse.Mbit, Shared: true},
		{Kind: rehearse.FaultRate, Rate: 20 * rehearse.Mbit, Shared: true},
		{Kind: rehearse.FaultRate, Rate: rehearse.Kbit, Direction: rehearse.Up},
		{Kind: rehearse.FaultDuplicate, Share: 0.1},
		{Kind: rehearse.FaultReorder, Share: 0.2},
		{Kind: rehearse.FaultCorrupt, Share: 0.3},
		{Kind: rehearse.FaultPartition, Direction: rehearse.Down},
	}
	want := path{
		Path: rehearse.Path{
			Delay: ms(15), Jitter: ms(5), Distribution: rehearse.Uniform, Correlation: 0.1, Loss: 0.75, Burst: 3,
			Duplicate: 0.1, Reorder: 0.2, Rate: rehearse.Mbit, ConnectionRate: rehearse.Kbit, Limit: 1000,
		},
		limit: 1000,
	}
	near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 })
	got := with(base, true, faults)
	if got.corrupt < 0.29 || got.corrupt > 0.31 || got.blocked {
		t.Errorf("up: corrupt %v, blocked %v", got.corrupt, got.blocked)
	}
	got.corrupt = 0
	if diff := cmp.Diff(want, *got, cmp.AllowUnexported(path{}), near); diff != "" {
		t.Errorf("up, -want +got:\n%s", diff)
	}
	if got := with(base, false, faults); !got.blocked || got.ConnectionRate != 0 {
		t.Errorf("down: %+v", got)
	}
	if got := with(rehearse.Path{Rate: rehearse.Mbit}, true, nil); got.limit <= 0 {
		t.Error("a rate has no queue")
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		fault rehearse.Fault
		want  string
	}{
		{rehearse.Fault{Kind: rehearse.FaultLoss, Share: 0.5}, ""},
		{rehearse.Fault{Kind: rehearse.FaultLoss, Share: 0.5, Probability: 1}, ""},
		{rehearse.Fault{Kind: rehearse.FaultBlackhole}, ""},
		{rehearse.Fault{Kind: rehearse.FaultLoss, Probability: 0.5}, "fault loss: packets cannot strike a share of the connections"},
		{rehearse.Fault{Kind: rehearse.FaultAbort, Name: "teapot"}, "fault teapot: packets know nothing of abort"},
		{rehearse.Fault{Kind: rehearse.FaultDelay, Match: rehearse.Match{Method: "POST"}}, "fault delay: packets know no requests"},
	} {
		err := Check(c.fault)
		got := ""
		if err != nil {
			got = err.Error()
			if rehearse.KindOf(err) != rehearse.Unavailable {
				t.Errorf("%v is of kind %v", err, rehearse.KindOf(err))
			}
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestSetIsWhole: a set that fails changes nothing.
func TestSetIsWhole(t *testing.T) {
	w := newWire(t, 1, upward(rehearse.Path{Delay: ms(7)}))
	if err := w.Set(link4, rehearse.Shape{}, rehearse.Fault{Kind: rehearse.FaultAbort}); err == nil {
		t.Fatal("a fault of requests is taken")
	}
	w.take(numbered(0, 100), true, 0)
	if got := drain(w); len(got) != 1 || got[0].at != 7e6 {
		t.Errorf("after a set that failed: %v", got)
	}
}

// TestSetWhileUnderWay: a path that becomes faster does not reorder.
func TestSetWhileUnderWay(t *testing.T) {
	w := newWire(t, 1, upward(rehearse.Path{Delay: ms(100)}))
	w.take(numbered(0, 100), true, 0)
	set(t, w, link4, rehearse.Shape{})
	w.take(numbered(1, 100), true, 1e6)
	set(t, w, link4, rehearse.Shape{}, rehearse.Fault{Kind: rehearse.FaultBlackhole})
	w.take(numbered(2, 100), true, 2e6)
	set(t, w, link4, upward(rehearse.Path{Delay: ms(200)}))
	w.take(numbered(3, 100), true, 3e6)
	var got []int64
	for _, a := range drain(w) {
		got = append(got, int64(numberOf(a.data)), a.at/1e6)
	}
	if diff := cmp.Diff([]int64{0, 100, 1, 100, 3, 203}, got); diff != "" {
		t.Errorf("packets and their times, -want +got:\n%s", diff)
	}
	if up, _ := w.Stats(link4); up.Blocked != 1 {
		t.Errorf("%d blocked", up.Blocked)
	}
}
