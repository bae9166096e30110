package snapshot_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

func ownerOf(st fs.FileInfo) [2]uint32 {
	s := st.Sys().(*syscall.Stat_t)
	return [2]uint32{s.Uid, s.Gid}
}

// TestMain is the process that TestVolumeAfterAKill kills, where it is asked to be.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SNAPSHOT_TEST_HOLD"); dir != "" {
		fmt.Println(hold(dir))
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

// hold makes a clone in a volume and keeps the volume.
func hold(dir string) string {
	s, err := snapshot.Open(dir, volumeOptions)
	if err != nil {
		return err.Error()
	}
	g, err := s.Golden(context.Background(), "shop", dataset(1, 1<<20))
	if err != nil {
		return err.Error()
	}
	c, err := g.Clone(context.Background(), "c", "the killed one")
	if err != nil {
		return err.Error()
	}
	return string(c.Method)
}

var volumeOptions = snapshot.Options{Methods: []snapshot.Method{snapshot.Loopback}, Small: small}

// marks lists what a volume in a directory has the kernel hold: mounts and loop
// devices.
func marks(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			out = append(out, "mount "+line)
		}
	}
	devices, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if file, err := os.ReadFile(d); err == nil && strings.HasPrefix(string(file), dir) {
			out = append(out, "device "+d)
		}
	}
	return out
}

// gone waits until the kernel holds nothing for a volume any more.
func gone(t *testing.T, dir string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for left := marks(t, dir); len(left) > 0; left = marks(t, dir) {
		if time.Now().After(deadline) {
			t.Fatalf("of the volume is left: %v", left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestVolumeIsSharedAndGoes(t *testing.T) {
	dir := placeFor(t, snapshot.Loopback)
	var stores []*snapshot.Store
	var want map[string]string
	for i := range 3 {
		s, err := snapshot.Open(dir, volumeOptions)
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
		g, err := s.Golden(t.Context(), "shop", dataset(1, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		c := clone(t, g, fmt.Sprint("c", i))
		g.Close()
		if c.Mount == nil || !strings.HasPrefix(c.Mount.Device, "/dev/loop") {
			t.Fatalf("the clone can be mounted from %+v, want a loop device", c.Mount)
		}
		if i == 0 {
			want = content(t, c.Path)
		}
		if got := marks(t, dir); len(got) != 1 || !strings.HasPrefix(got[0], "device") {
			t.Errorf("with %d stores the kernel shows %v, want one device and no mount", i+1, got)
		}
	}
	for _, s := range stores {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	gone(t, dir)
	// As after a reboot: everything is found again.
	s, err := snapshot.Open(dir, volumeOptions)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := golden(t, s, "shop", func(context.Context, string) error { return errors.New("it was there") })
	if diff := cmp.Diff(want, content(t, clone(t, g, "again").Path)); diff != "" {
		t.Errorf("a clone of the golden that was found again differs:\n%s", diff)
	}
}

func TestVolumeAfterAKill(t *testing.T) {
	dir := placeFor(t, snapshot.Loopback)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "SNAPSHOT_TEST_HOLD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	if lines.Text() != string(snapshot.Loopback) {
		t.Errorf("the other process says %q, want it to have a clone", lines.Text())
	}
	if len(marks(t, dir)) == 0 {
		t.Error("of the standing volume nothing is seen, so that nothing would be missed")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	gone(t, dir)
	left, err := snapshot.Clones(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || left[0].Owner != "the killed one" {
		t.Fatalf("clones that are left: %v, want that of the killed process", left)
	}
	s, err := snapshot.Open(dir, volumeOptions)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Remove(t.Context(), left[0].ID); err != nil {
		t.Error(err)
	}
	g := golden(t, s, "shop", func(context.Context, string) error { return errors.New("it was there") })
	clone(t, g, left[0].ID) // its name is free again
}

// TestVolumeGivesBack has the volume's file shrink when clones have gone.
func TestVolumeGivesBack(t *testing.T) {
	dir := placeFor(t, snapshot.Loopback)
	s, err := snapshot.Open(dir, volumeOptions)
	if err != nil {
		t.Fatal(err)
	}
	c := clone(t, golden(t, s, "shop", dataset(1, 1<<20)), "c")
	const written = 64 << 20
	if err := os.WriteFile(filepath.Join(c.Path, "written"), make([]byte, written), 0o600); err != nil {
		t.Fatal(err)
	}
	syscall.Sync()
	full := allocated(t, filepath.Join(dir, "volume.img"))
	if err := errors.Join(s.Remove(t.Context(), "c"), s.Close()); err != nil {
		t.Fatal(err)
	}
	gone(t, dir)
	if empty := allocated(t, filepath.Join(dir, "volume.img")); empty > full-written/2 {
		t.Errorf("the volume takes %d bytes with the clone and %d without, want it to give back most of %d", full, empty, written)
	}
}

func allocated(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Blocks * 512
}
