package testdocker

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	// TestEngineGoesWithItsUsers starts this binary as a user of an engine.
	if dir := os.Getenv("TESTDOCKER_USE"); dir != "" && len(os.Args) == 1 {
		ready = true
		e, err := join(context.Background(), dir, 100*time.Millisecond)
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
	if err != nil || !strings.HasPrefix(line, "unix://") {
		t.Fatalf("a user of the engine says %q, %v", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestEngineGoesWithItsUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("starting an engine needs root")
	}
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
	busybox := e.Program(t)
	id := run(t, e, busybox, "sleep", "3600")
	pid := inspect(t, e, id).State.Pid
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		t.Fatalf("the container does not run: %v", err)
	}
	e.own.users.Close()
	_ = second.Process.Kill()

	gone := time.Now().Add(time.Minute)
	for _, path := range []string{dir, fmt.Sprintf("/proc/%d", pid)} {
		for exists(path) {
			if time.Now().After(gone) {
				t.Fatalf("%s is still there", path)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
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

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
