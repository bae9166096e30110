package link

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func duration(d time.Duration) rehearse.Duration { return rehearse.Duration(d) }

// TestDatagramFaults has each fault strike a flow that is there already, and
// takes it away again: what the upstream and the client get of four datagrams
// each way, sent at once, and the fault's dose.
func TestDatagramFaults(t *testing.T) {
	all := []string{"one", "two!!", "three", ""}
	bytes := int64(len("onetwo!!three"))
	cut := []string{"on", "tw", "th", ""}
	type dose struct{ connections, packets, bytes int64 }
	for _, test := range []struct {
		fault    rehearse.Fault
		up, down []string
		dose     dose
	}{
		{rehearse.Fault{Kind: rehearse.FaultDelay, Delay: duration(ms)}, all, all, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultDelay, Direction: rehearse.Up, Delay: duration(ms)}, all, all, dose{1, 4, bytes}},
		{rehearse.Fault{Kind: rehearse.FaultDelay, Delay: duration(ms), Match: rehearse.Match{Path: "/"}}, all, all, dose{}},
		{rehearse.Fault{Kind: rehearse.FaultLoss, Share: 1}, nil, nil, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultLoss, Share: 1, Direction: rehearse.Down}, all, nil, dose{1, 4, bytes}},
		{rehearse.Fault{Kind: rehearse.FaultRate, Rate: rehearse.Mbit}, all, all, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultRate, Rate: rehearse.Mbit, Shared: true}, all, all, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultDuplicate, Share: 1}, twice(all), twice(all), dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultReorder, Share: 1}, all, all, dose{}},
		{rehearse.Fault{Kind: rehearse.FaultPartition}, nil, nil, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultPartition, Direction: rehearse.Up}, nil, all, dose{1, 4, bytes}},
		{rehearse.Fault{Kind: rehearse.FaultBlackhole, Direction: rehearse.Down}, all, nil, dose{1, 4, bytes}},
		{rehearse.Fault{Kind: rehearse.FaultStall}, nil, nil, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultStall, Bytes: 8}, []string{"one", "two!!"}, []string{"one", "two!!"}, dose{1, 4, 10}},
		{rehearse.Fault{Kind: rehearse.FaultRefuse}, nil, all, dose{1, 4, bytes}},
		{rehearse.Fault{Kind: rehearse.FaultLimit}, all, all, dose{}}, // the flow is older
		{rehearse.Fault{Kind: rehearse.FaultHalfOpen}, nil, nil, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultHalfOpen, Delay: duration(time.Hour)}, all, all, dose{}},
		{rehearse.Fault{Kind: rehearse.FaultTimeout}, nil, nil, dose{1, 8, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 2}, cut, cut, dose{1, 6, 2 * (bytes - 6)}},
		{rehearse.Fault{Kind: rehearse.FaultTruncate}, []string{"", "", "", ""}, []string{"", "", "", ""}, dose{1, 6, 2 * bytes}},
		{rehearse.Fault{Kind: rehearse.FaultDNS, Code: "NXDOMAIN"}, all, all, dose{}}, // these are no queries
		{rehearse.Fault{Kind: rehearse.FaultSlice, Size: 1}, all, all, dose{}},
		{rehearse.Fault{Kind: rehearse.FaultSlowClose, Delay: duration(ms)}, all, all, dose{}},
		{rehearse.Fault{Kind: rehearse.FaultTLS, Code: "stall"}, all, all, dose{}},
		{rehearse.Fault{Kind: rehearse.FaultAbort, Status: 500}, all, all, dose{}},
	} {
		t.Run(fmt.Sprintf("%s %s", test.fault.Kind, test.fault.Direction), func(t *testing.T) {
			inBubble(t, rehearse.Shape{}, 1, func(t *testing.T, b *bubble) {
				exchange := func() (up, down []string) {
					b.ask("a", all...)
					b.answer(0, all...)
					b.after(time.Second)
					return b.flow(0).texts(), b.port.texts()
				}
				exchange()
				for range 2 {
					b.fault(test.fault)
					up, down := exchange()
					if diff := cmp.Diff([][]string{test.up, test.down}, [][]string{up, down}); diff != "" {
						t.Errorf("up and down (-want +got):\n%s", diff)
					}
					d := b.dose(test.fault.ID())
					if diff := cmp.Diff(test.dose, dose{d.Connections, d.Packets, d.Bytes}, cmp.AllowUnexported(dose{})); diff != "" {
						t.Errorf("dose (-want +got):\n%s", diff)
					}
					holding := int64(1)
					if test.fault.Kind == rehearse.FaultAbort || !test.fault.Match.IsZero() {
						holding = 0
					}
					if !d.Active || d.Gone || d.Holding != holding {
						t.Errorf("while it is in force: %+v", d)
					}
					b.fault()
					if d := b.dose(test.fault.ID()); d.Active || !d.Gone || d.Holding != 0 {
						t.Errorf("when it is gone: %+v", d)
					}
					if up, down = exchange(); !slices.Equal(up, all) || !slices.Equal(down, all) {
						t.Errorf("when it is gone, %q goes up and %q down", up, down)
					}
				}
			})
		})
	}
}

func twice(datagrams []string) (out []string) {
	for _, d := range datagrams {
		out = append(out, d, d)
	}
	return out
}

// TestCorruptFlipsOneBit looks for the one bit, and for the same bits in a
// second run.
func TestCorruptFlipsOneBit(t *testing.T) {
	run := func() (out []string) {
		inBubble(t, rehearse.Shape{}, 7, func(t *testing.T, b *bubble) {
			b.fault(rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 0.5})
			text := string(make([]byte, 100))
			var bad int64
			for range 200 {
				b.ask("a", text)
			}
			out = b.flow(0).texts()
			for _, got := range out {
				flipped := 0
				for _, c := range []byte(got) {
					flipped += bits.OnesCount8(c)
				}
				if flipped > 1 || len(got) != 100 {
					t.Errorf("%d bits of a datagram of %d bytes were flipped", flipped, len(got))
				}
				bad += int64(flipped)
			}
			if d := b.dose("corrupt"); d.Packets != bad || d.Bytes != bad || bad < 60 || bad > 140 {
				t.Errorf("%d of 200 are corrupt, the dose is %+v", bad, d)
			}
		})
		return out
	}
	if diff := cmp.Diff(run(), run()); diff != "" {
		t.Errorf("the same seed gave two runs:\n%s", diff)
	}
}

// TestReorderOvertakes has a fault send every datagram ahead of one that is under
// way already.
func TestReorderOvertakes(t *testing.T) {
	inBubble(t, rehearse.Shape{Up: rehearse.Path{Delay: duration(10 * ms)}}, 1, func(t *testing.T, b *bubble) {
		b.ask("a", "first")
		b.fault(rehearse.Fault{Kind: rehearse.FaultReorder, Share: 1})
		b.ask("a", "second")
		b.after(time.Second)
		want := []arrival{{"", "second", 0}, {"", "first", 10 * ms}}
		if diff := cmp.Diff(want, b.flow(0).take()); diff != "" {
			t.Errorf("upstream reads (-want +got):\n%s", diff)
		}
		if d := b.dose("reorder"); d.Packets != 1 || d.Connections != 1 {
			t.Errorf("the dose is %+v", d)
		}
	})
}

// TestFaultsOfFlows has faults end flows and keep new ones out.
func TestFaultsOfFlows(t *testing.T) {
	inBubble(t, rehearse.Shape{}, 1, func(t *testing.T, b *bubble) {
		b.ask("a", "1")
		b.fault(rehearse.Fault{Kind: rehearse.FaultLimit, Count: 2})
		b.ask("b", "2")
		b.ask("c", "3", "4")
		b.ask("a", "5")
		d := b.dose("limit")
		if s := b.link.Stats(); b.dialled() != 2 || s.Active != 2 || d.Connections != 1 || d.Packets != 2 {
			t.Errorf("%d flows are dialled, dose %+v", b.dialled(), d)
		}
		b.after(flowIdle)
		b.ask("c", "6")
		if diff := cmp.Diff([]string{"6"}, b.flow(2).texts()); diff != "" {
			t.Errorf("when there is room again (-want +got):\n%s", diff)
		}

		b.fault(rehearse.Fault{Kind: rehearse.FaultTimeout, Delay: duration(time.Second)})
		b.ask("c", "7")
		b.after(time.Second)
		if s := b.link.Stats(); b.flow(2).open() || s.Active != 0 || s.Resets != 0 {
			t.Errorf("after a time-out: %+v", s)
		}
		b.fault()
		b.ask("c", "8")
		b.fault(rehearse.Fault{Kind: rehearse.FaultReset, Delay: duration(time.Second)})
		b.after(time.Second)
		if s := b.link.Stats(); b.flow(3).open() || s.Active != 0 || s.Resets != 1 {
			t.Errorf("after a reset: %+v", s)
		}
		if d := b.dose("reset"); d.Connections != 1 || d.Holding != 0 {
			t.Errorf("the dose of the reset is %+v", d)
		}
	})
}

// TestPartitionFlaps follows a schedule: up to 1 s, down to 2 s, up to 11 s, …
func TestPartitionFlaps(t *testing.T) {
	inBubble(t, rehearse.Shape{}, 1, func(t *testing.T, b *bubble) {
		b.fault(rehearse.Fault{Kind: rehearse.FaultPartition, Schedule: rehearse.Schedule{
			After: duration(time.Second), For: duration(time.Second), Every: duration(10 * time.Second),
		}})
		b.after(ms)
		for i := range 13 {
			b.ask("a", fmt.Sprint(i))
			b.after(time.Second)
		}
		want := []string{"0", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12"}
		if diff := cmp.Diff(want, b.flow(0).texts()); diff != "" {
			t.Errorf("upstream reads (-want +got):\n%s", diff)
		}
		if d := b.dose("partition"); d.Packets != 2 || d.Connections != 1 || d.Holding != 0 || d.Active {
			t.Errorf("the dose is %+v", d)
		}
	})
}

// TestProbabilityPicksFlows has a fault for a share of the flows, always the
// same.
func TestProbabilityPicksFlows(t *testing.T) {
	run := func(seed uint64) (passed []int) {
		inBubble(t, rehearse.Shape{}, seed, func(t *testing.T, b *bubble) {
			b.fault(rehearse.Fault{Kind: rehearse.FaultBlackhole, Probability: 0.5})
			for i := range 100 {
				before := b.dialled()
				b.ask(fmt.Sprint(i), "x", "y")
				if b.dialled() > before {
					passed = append(passed, i)
				}
			}
			if d := b.dose("blackhole"); int(d.Connections) != 100-len(passed) || int(d.Packets) != 2*(100-len(passed)) {
				t.Errorf("%d of 100 pass, the dose is %+v", len(passed), d)
			}
		})
		return passed
	}
	first := run(1)
	if len(first) < 30 || len(first) > 70 {
		t.Errorf("%d of 100 flows are let through", len(first))
	}
	if diff := cmp.Diff(first, run(1)); diff != "" {
		t.Errorf("the same seed gave two runs:\n%s", diff)
	}
}

// TestRefusedPort has the port look closed to all, and open again. Only Linux
// lets it look closed; elsewhere the datagrams are lost.
func TestRefusedPort(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			l := New(rehearse.LinkSpec{}, 1)
			dial := serveUDP(t, l, host, echoUDP(t, host))
			old := dial()
			works := func(c *net.UDPConn) bool {
				io.WriteString(c, "hello")
				c.SetReadDeadline(time.Now().Add(10 * ms))
				n, err := c.Read(make([]byte, 10))
				return n == 5 && err == nil
			}
			for range 3 {
				eventually(t, func() bool { return works(old) })
				if err := l.Break([]rehearse.Fault{{Kind: rehearse.FaultRefuse}}); err != nil {
					t.Fatal(err)
				}
				for _, c := range []*net.UDPConn{old, dial()} {
					eventually(t, func() bool {
						io.WriteString(c, "hello")
						c.SetReadDeadline(time.Now().Add(10 * ms))
						_, err := c.Read(make([]byte, 10))
						return errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS != "linux" && l.Stats().Doses[0].Packets > 0
					})
				}
				if err := l.Break(nil); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, func() bool { return works(old) })
			eventually(t, func() bool { return works(dial()) })
		})
	}
}
