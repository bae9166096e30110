package packet

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
)

// device is a pretended TUN device: a socket whose other end is in the test's
// hands. Like a device it keeps frames apart.
func device(t *testing.T) (wire, kernel *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	wire, kernel = os.NewFile(uintptr(fds[0]), "wire"), os.NewFile(uintptr(fds[1]), "kernel")
	t.Cleanup(func() { wire.Close(); kernel.Close() })
	if err := kernel.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return wire, kernel
}

// running is a wire between two pretended devices. stop ends it and returns what
// Run did.
func running(t *testing.T, s rehearse.Shape, faults ...rehearse.Fault) (w *Wire, near, far *os.File, stop func() error) {
	t.Helper()
	a, near := device(t)
	b, far := device(t)
	w = New(a, b, 1)
	set(t, w, link4, s, faults...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(cancel)
	return w, near, far, func() error {
		cancel()
		return <-ended
	}
}

func send(t *testing.T, to *os.File, data []byte) {
	t.Helper()
	if _, err := to.Write(data); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, from *os.File) []byte {
	t.Helper()
	b := make([]byte, maxFrame)
	n, err := from.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestNeverEarly sends one packet after the other and back, and notes the time.
func TestNeverEarly(t *testing.T) {
	w, near, far, stop := running(t, rehearse.Shape{Up: rehearse.Path{Delay: ms(3)}, Down: rehearse.Path{Delay: ms(2), Jitter: ms(1)}})
	for i := range 50 {
		start := time.Now()
		send(t, near, numbered(i, 100))
		if got := receive(t, far); !bytes.Equal(got, numbered(i, 100)) {
			t.Fatalf("packet %d came as %x", i, got)
		}
		if took := time.Since(start); took < 3*time.Millisecond {
			t.Errorf("packet %d took %v up", i, took)
		}
		answer := datagram(link4, client4, []byte{byte(i)})
		send(t, far, answer)
		if got := receive(t, near); !bytes.Equal(got, answer) {
			t.Fatalf("answer %d came as %x", i, got)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	up, down := w.Stats(link4)
	if up.Packets != 50 || down.Packets != 50 || up.DelayAsked.Count != 50 || up.DelayAsked.Max != ms(3) {
		t.Errorf("up %+v, down %+v", up, down)
	}
	if up.DelayGiven.Min < ms(3) || down.DelayGiven.Min < down.DelayAsked.Min {
		t.Errorf("a packet was early: up %v, down %v of %v", up.DelayGiven.Min, down.DelayGiven.Min, down.DelayAsked.Min)
	}
}

// TestManyAtOnce keeps as many packets under way as the pretended devices take,
// and changes the shape all the while.
func TestManyAtOnce(t *testing.T) {
	const packets = 5000
	w, near, far, stop := running(t, upward(rehearse.Path{Delay: ms(1), Jitter: ms(1)}))
	setting := make(chan struct{})
	go func() {
		defer close(setting)
		for i := range 500 {
			if err := w.Set(link4, upward(rehearse.Path{Delay: ms(float64(i % 3)), Jitter: ms(1)})); err != nil {
				t.Error(err)
			}
		}
	}()
	for first := 0; first < packets; first += 50 {
		for i := range 50 {
			send(t, near, numbered(first+i, 100))
		}
		for i := range 50 {
			if got := numberOf(receive(t, far)); got != first+i {
				t.Fatalf("packet %d came as number %d", got, first+i)
			}
		}
	}
	<-setting
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestStopsWithPacketsUnderWay: nothing waits for a delay of an hour.
func TestStopsWithPacketsUnderWay(t *testing.T) {
	w, near, far, stop := running(t, upward(rehearse.Path{Delay: rehearse.Duration(time.Hour)}))
	send(t, near, numbered(0, 100))
	// What goes down has overtaken it, so it has been taken.
	send(t, far, datagram(link4, client4, nil))
	receive(t, near)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if up, _ := w.Stats(link4); up.DelayGiven.Count != 0 {
		t.Errorf("the packet came: %+v", up)
	}
}

// TestDeviceGone: a wire whose device has gone says which end it was at.
func TestDeviceGone(t *testing.T) {
	a, _ := device(t)
	b, far := device(t)
	w := New(a, b, 1)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(t.Context()) }()
	far.Close()
	if err := <-ended; err == nil {
		t.Error("a wire without a device ended well")
	}
	a.Close()
	if err := New(a, b, 1).Run(t.Context()); err == nil {
		t.Error("a wire on a closed file ended well")
	}
}

// TestTakesNoMemory: a wire at work allocates nothing for a packet.
func TestTakesNoMemory(t *testing.T) {
	w := newWire(t, 1, upward(rehearse.Path{Delay: ms(1), Jitter: ms(1), Loss: 0.01}))
	single, long := numbered(0, 1000), train(client4, link4, 1448, make([]byte, 60_000))
	now := int64(0)
	allocations := testing.AllocsPerRun(1000, func() {
		now += 1e6
		w.take(single, true, now)
		w.take(long, true, now)
		for {
			p, ok := w.give(now)
			if !ok {
				break
			}
			w.delivered(p, now, true)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations for two packets", allocations)
	}
}
