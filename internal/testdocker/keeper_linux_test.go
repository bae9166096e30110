package testdocker

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

func TestMain(m *testing.M) {
	// TestEngineGoesWithItsUsers starts this binary as a user of an engine.
	if dir := os.Getenv("TESTDOCKER_USE"); dir != "" && len(os.Args) == 1 {
		ready = true
		e, err := join(context.Background(), dir, 100*time.Millisecond)
		if why, ok := err.(absent); ok {
			fmt.Println("absent:", why)
			os.Exit(1)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(e.Host())
		select {}
	}
	os.Exit(Main(m))
}

// user is a process that uses the engine of a directory, and that engine.
func user(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TESTDOCKER_USE="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if why, ok := strings.CutPrefix(line, "absent: "); ok {
		t.Skip(strings.TrimSpace(why))
	}
	if err != nil || !strings.HasPrefix(line, "unix://") {
		t.Fatalf("a user of the engine says %q, %v", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestEngineGoesWithItsUsers(t *testing.T) {
	dir, err := os.MkdirTemp("/var/tmp", "testdocker-")
	if err != nil {
		t.Fatal(err)
	}
	first, host := user(t, dir)
	second, again := user(t, dir)
	if host != again {
		t.Errorf("the second user has the engine at %s, want the first's, %s", again, host)
	}
	_ = first.Process.Kill()
	e, err := join(context.Background(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	id := start(t, e, &container.Config{Image: e.Program(t), Cmd: []string{ProgramPath, "drivertest-program", "serve", "8080"}, ExposedPorts: port("8080/tcp")},
		&container.HostConfig{NetworkMode: "bridge", PortBindings: network.PortMap{network.MustParsePort("8080/tcp"): {{HostIP: netip.MustParseAddr("127.0.0.1")}}}})
	until(t, e, id, "sh", "-c", "echo hostname | nc 127.0.0.1 8080")
	published := inspect(t, e, id).NetworkSettings.Ports[network.MustParsePort("8080/tcp")][0].HostPort
	outside := e.Command(context.Background(), "busybox", "nc", "127.0.0.1", published)
	outside.Stdin = strings.NewReader("hostname\n")
	if out, err := outside.CombinedOutput(); err != nil || len(out) < 2 || !strings.HasPrefix(id, strings.TrimSpace(string(out))) {
		t.Errorf("what it publishes says %q, %v; want the beginning of %s", out, err, id)
	}
	pid := inspect(t, e, id).State.Pid
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		t.Fatalf("the container does not run: %v", err)
	}
	e.own.users.Close()
	_ = second.Process.Kill()

	waitUntilGone(t, dir)
	waitUntilGone(t, fmt.Sprintf("/proc/%d", pid))
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Errorf("mounts are left in %s:\n%s", dir, mounts)
	}
	if left, _ := filepath.Glob(filepath.Join(groups, "*", groupOf(dir))); len(left) > 0 {
		t.Errorf("control groups are left: %q", left)
	}
}

func TestEngineStartsAfterItsKeeperWasKilled(t *testing.T) {
	dir, err := os.MkdirTemp("/var/tmp", "testdocker-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { waitUntilGone(t, dir) })
	_, _ = user(t, dir)
	e, err := join(context.Background(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	id := run(t, e, e.Program(t), "sleep", "3600")
	left := inspect(t, e, id).State.Pid
	_ = syscall.Kill(keeperOf(t, dir), syscall.SIGKILL)
	for answers(e) {
		time.Sleep(20 * time.Millisecond)
	}
	e.own.users.Close()

	if _, host := user(t, dir); host != e.Host() {
		t.Errorf("the next engine is at %s, want %s", host, e.Host())
	}
	if found := e.Leftovers(t, Label); len(found) > 0 {
		t.Errorf("it has what the first one had: %q", found)
	}
	// What ran in a container of the first one has been killed, and goes as soon as
	// somebody reaps it.
	waitUntilGone(t, fmt.Sprintf("/proc/%d", left))
}

// keeperOf is the process that keeps the engine of a directory.
func keeperOf(t *testing.T, dir string) int {
	t.Helper()
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range found {
		if args, _ := os.ReadFile(path); strings.Contains(string(args), keeperArgument+"\x00"+dir+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	t.Fatal("the engine has no keeper")
	return 0
}

func answers(e *Engine) bool {
	_, err := e.Client().Ping(context.Background(), client.PingOptions{})
	return err == nil
}

func waitUntilGone(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for exists(path) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", path)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
