package link

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// TestSchedule follows faults through their schedules, to the nanosecond.
func TestSchedule(t *testing.T) {
	const s = rehearse.Duration(time.Second)
	tests := []struct {
		name     string
		schedule rehearse.Schedule
		on       []int // seconds in whose middle it is in force, of the first 12
	}{
		{"at once", rehearse.Schedule{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"later", rehearse.Schedule{After: 10 * s}, []int{10, 11}},
		{"for a while", rehearse.Schedule{For: 3 * s}, []int{0, 1, 2}},
		{"later, for a while", rehearse.Schedule{After: 2 * s, For: 3 * s}, []int{2, 3, 4}},
		{"flapping", rehearse.Schedule{For: s, Every: 4 * s}, []int{0, 4, 8}},
		{"flapping later", rehearse.Schedule{After: s, For: 2 * s, Every: 5 * s}, []int{1, 2, 6, 7, 11}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, dial := memoryLink(t, rehearse.Shape{}, 1, 0)
				client, accepted := dial()
				upstream := <-accepted
				mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultDelay, Delay: s / 10, Direction: rehearse.Up, Schedule: test.schedule})
				start := time.Now()
				var on []int
				for i := range 12 {
					time.Sleep(time.Until(start.Add(time.Duration(i)*time.Second + time.Second/2)))
					began := time.Now()
					go io.WriteString(client, "x")
					expect(t, upstream, "x")
					active := l.Stats().Doses[0].Active
					switch took := time.Since(began); {
					case took == time.Second/10 && active:
						on = append(on, i)
					case took != 0 || active:
						t.Errorf("in second %d bytes take %v and the fault is active: %v", i, took, active)
					}
				}
				if diff := cmp.Diff(test.on, on); diff != "" {
					t.Errorf("seconds in force (-want +got):\n%s", diff)
				}
				mustBreak(t, l)
				if d := l.Stats().Doses[0]; !d.Gone || d.Active || d.Holding != 0 || d.Connections != 1 || d.Bytes != int64(len(test.on)) {
					t.Errorf("dose is %+v", d)
				}
			})
		})
	}
}

// TestScheduleMeetsItsMoment has a partition begin and end while bytes come.
func TestScheduleMeetsItsMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, rehearse.Shape{}, 1, 0)
		client, accepted := dial()
		upstream := <-accepted
		start := time.Now()
		fault := rehearse.Fault{Kind: rehearse.FaultPartition, Schedule: rehearse.Schedule{
			After: rehearse.Duration(time.Second), For: rehearse.Duration(time.Second), Every: rehearse.Duration(3 * time.Second),
		}}
		mustBreak(t, l, fault)
		for _, step := range []struct{ sent, arrives time.Duration }{
			{500 * time.Millisecond, 500 * time.Millisecond},
			{1500 * time.Millisecond, 2 * time.Second},
			{2500 * time.Millisecond, 2500 * time.Millisecond},
			{4500 * time.Millisecond, 5 * time.Second},
		} {
			time.Sleep(time.Until(start.Add(step.sent)))
			// The same fault again stays as it is, with its schedule.
			mustBreak(t, l, fault)
			go io.WriteString(client, "x")
			expect(t, upstream, "x")
			if got := time.Since(start); got != step.arrives {
				t.Errorf("sent at %v, it arrives at %v, want %v", step.sent, got, step.arrives)
			}
		}
		if d := l.Stats().Doses[0]; d.Connections != 1 || d.Bytes != 2 {
			t.Errorf("dose is %+v", d)
		}
	})
}

// TestStallComesAgain: a fault that comes again counts anew.
func TestStallComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, rehearse.Shape{}, 1, 0)
		client, accepted := dial()
		upstream := <-accepted
		mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultStall, Bytes: 2, Schedule: rehearse.Schedule{
			For: rehearse.Duration(time.Second), Every: rehearse.Duration(2 * time.Second),
		}})
		start := time.Now()
		for round := range time.Duration(3) {
			began := 2*round*time.Second + time.Millisecond // it has begun
			time.Sleep(time.Until(start.Add(began)))
			go io.WriteString(client, "four")
			expect(t, upstream, "fo")
			if got := time.Since(start); got != began {
				t.Errorf("round %d: the first two arrive after %v, want %v", round, got, began)
			}
			expect(t, upstream, "ur")
			if got, want := time.Since(start), (2*round+1)*time.Second; got != want {
				t.Errorf("round %d: the rest arrives after %v, want %v", round, got, want)
			}
		}
		if d := l.Stats().Doses[0]; d.Connections != 1 || d.Bytes != 6 {
			t.Errorf("dose is %+v", d)
		}
	})
}
