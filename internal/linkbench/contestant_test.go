package main

import (
	"context"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestMain makes the test's binary play the roles of the benchmark's processes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "peer" || os.Args[1] == "serve") {
		if err := run(context.Background(), os.Args[1:]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestContestants measures each contestant of ours once, briefly. It says
// nothing of how fast they are.
func TestContestants(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	b := &bench{self: self}
	peer, err := b.startPeer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Stop()
	all, stop, err := b.startOpen(ctx, direct, plain, watched, copied)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var order []kind
	got, err := interleave(ctx, 2, all, func(_ context.Context, c *contestant) (trips, error) {
		order = append(order, c.kind)
		for _, push := range []bool{true, false} {
			const size = 3 << 20
			moved, err := c.transfer(2, size, push)
			if err != nil {
				return trips{}, err
			}
			if moved.bytes != size {
				t.Errorf("%s moved %v bytes, want %v", c.kind, moved.bytes, size)
			}
		}
		return c.talk(3, time.Millisecond, pace{})
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []kind{
		direct, plain, watched, copied,
		plain, watched, copied, direct,
		watched, copied, direct, plain,
	}
	if !slices.Equal(order, want) {
		t.Errorf("contestants came in the order %q, want %q", order, want)
	}
	for _, c := range all {
		if n := len(got[c.kind]); n != 2 {
			t.Errorf("%s has %d samples, want 2", c.kind, n)
		}
		for _, s := range got[c.kind] {
			if len(s.took) < 3 {
				t.Errorf("%s has %d round trips, want one for each connection at least", c.kind, len(s.took))
			}
		}
	}
}

// TestProcess reads what the kernel says of a process that holds something.
func TestProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells of another process in /proc")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{self: self}
	peer, err := b.startPeer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Stop()
	before, err := peer.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	conns, err := dialEchoes(b.upstream.Echo, 10)
	defer closeAll(conns)
	if err != nil {
		t.Fatal(err)
	}
	after, err := peer.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	if after-before != 10 {
		t.Errorf("10 connections are %v descriptors", after-before)
	}
	if rss, err := peer.Resident(); err != nil || rss < 1<<20 {
		t.Errorf("the peer's memory is %v bytes, %v", rss, err)
	}
	if _, err := peer.CPU(); err != nil {
		t.Error(err)
	}
}
