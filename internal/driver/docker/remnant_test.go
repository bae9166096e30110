package docker_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/docker"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

var kills = flag.Int("kills", 0, "how many more supervisors to kill, at random moments")

// supervise asks this test binary to make an environment, and how: "LABEL DIR
// IMAGE POINT". It kills itself at a point of the journal, where that is not zero.
const supervise = "REHEARSE_TEST_SUPERVISE"

// supervisor makes an environment with all kinds of things, says so and waits.
func supervisor(order string) {
	f := strings.Fields(order)
	label, dir, image := f[0], f[1], f[2]
	point, _ := strconv.Atoi(f[3])
	exe, _ := os.Executable()
	d := docker.New(docker.Options{Cache: filepath.Join(dir, "cache"), Label: label, Getenv: os.Getenv, Home: dir, Exe: exe})
	ctx := context.Background()
	up := rehearse.Service{
		Name: "up", Image: image, Command: []string{"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}, Container: &rehearse.Container{},
		Mounts: []rehearse.Mount{{Type: "volume", Source: "data", Target: "/data"}},
	}
	store := &environment.Store{Root: filepath.Join(dir, "environments")}
	record, err := store.Create(environment.Meta{Project: "test", Driver: "docker"})
	if err == nil {
		err = superviseIn(ctx, d, record, up, point)
	}
	fmt.Println("up", err)
	select {}
}

func superviseIn(ctx context.Context, d *docker.Driver, record *environment.Record, up rehearse.Service, point int) error {
	e, err := d.Open(ctx, driver.Spec{
		ID: record.Now().ID, Plan: &rehearse.Plan{Project: "test", Services: []rehearse.Service{up}}, Dir: record.Place(),
		Journal: &suicidal{Journal: record, point: point}, Log: &drivertest.Log{},
	})
	if err != nil {
		return err
	}
	if err := e.Prepare(ctx, "up"); err != nil {
		return err
	}
	_, err = e.Start(ctx, "up", driver.Output{})
	return err
}

// suicidal is a journal that kills its process at a point.
type suicidal struct {
	driver.Journal
	mu           sync.Mutex
	calls, point int
}

func (s *suicidal) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.calls == s.point {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

func (s *suicidal) Intend(r driver.Remnant) error {
	err := s.Journal.Intend(r)
	s.count()
	return err
}

func (s *suicidal) Confirm(r driver.Remnant, exists bool) error {
	err := s.Journal.Confirm(r, exists)
	s.count()
	return err
}

// startSupervisor starts one. up is closed when its environment is.
func startSupervisor(t *testing.T, label, dir string, point int) (cmd *exec.Cmd, up <-chan string) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), supervise+"="+fmt.Sprint(label, " ", dir, " ", programImage(t), " ", point), "DOCKER_HOST="+testdocker.Start(t).Host())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		b := make([]byte, 1<<10)
		n, _ := out.Read(b)
		said <- strings.TrimSpace(string(b[:n]))
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most have ended
		_ = cmd.Wait()
	})
	return cmd, said
}

// reaped waits until the reaper of a supervisor has ended, and finds that nothing
// is left.
func reaped(t *testing.T, label string, reaper int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for reaper > 0 && isReaper(reaper) && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	nothingLeft(t, label)
}

// reaperOf is the reaper that a process has started; 0 when it has none.
func reaperOf(pid int) int {
	all, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
	for _, dir := range all {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		child, _ := strconv.Atoi(filepath.Base(dir))
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) && isReaper(child) {
			return child
		}
	}
	return 0
}

func isReaper(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.HasPrefix(string(line), "rehearse: reaper\x00")
}

// TestReaper kills supervisors at every kind of point.
func TestReaper(t *testing.T) {
	// 1 and 2 are the network's, 3 and 4 the link container's, 5 and 6 the volume's,
	// 7 and 8 the service's container's.
	for _, point := range []int{1, 2, 3, 4, 7, 8} {
		t.Run(fmt.Sprint("at ", point), func(t *testing.T) {
			t.Parallel()
			label := fmt.Sprint("reaper-", point)
			cmd, said := startSupervisor(t, label, t.TempDir(), point)
			if got := <-said; got != "" {
				t.Errorf("it says %q, want it to die before", got)
			}
			kill(t, cmd)
			eventuallyNothing(t, label)
		})
	}
	t.Run("running", func(t *testing.T) {
		t.Parallel()
		const label = "reaper-running"
		cmd, said := startSupervisor(t, label, t.TempDir(), 0)
		if got := <-said; got != "up <nil>" {
			t.Fatalf("it says %q", got)
		}
		reaper := reaperOf(cmd.Process.Pid)
		if reaper == 0 {
			t.Fatal("it has no reaper")
		}
		kill(t, cmd)
		reaped(t, label, reaper)
	})
}

// eventuallyNothing waits until nothing has a state's label, twice.
func eventuallyNothing(t *testing.T, label string) {
	t.Helper()
	e := testdocker.Start(t)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if len(e.Leftovers(t, "dev.rehearse.state="+label)) == 0 {
			return
		}
	}
	nothingLeft(t, label)
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	_ = cmd.Process.Kill() // it may have done so itself
	_ = cmd.Wait()
}

// TestCollect kills a supervisor and its reaper: the next start finds the rest.
func TestCollect(t *testing.T) {
	t.Parallel()
	const label = "collect"
	dir := t.TempDir()
	cmd, said := startSupervisor(t, label, dir, 0)
	if got := <-said; got != "up <nil>" {
		t.Fatalf("it says %q", got)
	}
	reaper := reaperOf(cmd.Process.Pid)
	if reaper == 0 {
		t.Fatal("it has no reaper")
	}
	if err := syscall.Kill(reaper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	kill(t, cmd)
	d := newDriver(t, label)
	found, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, r := range found {
		kinds[r.Kind]++
		if r.Environment != found[0].Environment {
			t.Errorf("%+v is of another environment", r)
		}
	}
	// The link container ends with its supervisor, and is there still.
	if kinds["container"] != 2 || kinds["volume"] != 1 || kinds["network"] != 1 {
		t.Errorf("it finds %v, want two containers, a volume and a network", found)
	}
	if other, err := newDriver(t, "another").List(t.Context()); err != nil || len(other) > 0 {
		t.Errorf("another state's driver finds %v, %v", other, err)
	}
	store := &environment.Store{Root: filepath.Join(dir, "environments")}
	removed, err := store.Collect(t.Context(), d)
	if err != nil {
		t.Errorf("collect: %v; removed %q", err, removed)
	}
	nothingLeft(t, label)
	for _, r := range found {
		if err := d.Remove(t.Context(), r); err != nil {
			t.Errorf("what is gone is removed again: %v", err)
		}
	}
}

// TestRemoveTouchesNothingOfOthers has things that are called as ours are.
func TestRemoveTouchesNothingOfOthers(t *testing.T) {
	t.Parallel()
	api := testdocker.Start(t).Client()
	d := newDriver(t, "mine")
	ctx := context.Background()
	for what, labels := range map[string]map[string]string{
		"plain":          nil,
		"other-state":    {"dev.rehearse.state": "theirs", "dev.rehearse.environment": "other-state"},
		"no-state":       {"dev.rehearse.environment": "no-state"},
		"no-environment": {"dev.rehearse.state": "mine"},
	} {
		name := "rehearse-" + what + "-test"
		if _, err := api.NetworkCreate(ctx, name, client.NetworkCreateOptions{Labels: labels}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = api.NetworkRemove(ctx, name, client.NetworkRemoveOptions{}) })
		if _, err := api.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name, Labels: labels}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = api.VolumeRemove(ctx, name, client.VolumeRemoveOptions{}) })
		made, err := api.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: &container.Config{Image: programImage(t), Cmd: []string{"true"}, Labels: labels}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = api.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{}) })
		for _, kind := range []string{"container", "volume", "network"} {
			if err := d.Remove(ctx, driver.Remnant{Environment: rehearse.EnvironmentID(what), Kind: kind, Name: name}); err == nil || !strings.Contains(err.Error(), "not ours") {
				t.Errorf("a %s of another is removed: %v", kind, err)
			}
		}
		if _, err := api.ContainerInspect(ctx, made.ID, client.ContainerInspectOptions{}); err != nil {
			t.Errorf("the other's container: %v", err)
		}
		if _, err := api.VolumeInspect(ctx, name, client.VolumeInspectOptions{}); err != nil {
			t.Errorf("the other's volume: %v", err)
		}
		if _, err := api.NetworkInspect(ctx, name, client.NetworkInspectOptions{}); err != nil {
			t.Errorf("the other's network: %v", err)
		}
	}
	if found, err := d.List(ctx); err != nil || len(found) > 0 {
		t.Errorf("it lists %v, %v", found, err)
	}
}

// TestKills kills supervisors at random moments, as many as -kills says.
func TestKills(t *testing.T) {
	if *kills == 0 {
		t.Skip("-kills N kills N supervisors at random moments")
	}
	for n := range *kills {
		label := fmt.Sprint("kills-", n)
		cmd, said := startSupervisor(t, label, t.TempDir(), 0)
		after := time.Duration(rand.IntN(3000)) * time.Millisecond
		select {
		case got := <-said:
			if got != "up <nil>" {
				t.Errorf("kill %d: it says %q", n, got)
			}
		case <-time.After(after):
		}
		reaper := reaperOf(cmd.Process.Pid)
		kill(t, cmd)
		reaped(t, label, reaper)
		if t.Failed() {
			t.Fatalf("kill %d, after %v", n, after)
		}
	}
}
