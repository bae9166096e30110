package rehearsetest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/rehearsetest"
)

// help is the command that runs TestHelper in a process of its own.
func help(t *testing.T, what, file string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestHelper$", "-test.v")
	cmd.Env = append(os.Environ(), helper+"="+what, "REHEARSETEST_FILE="+file)
	return cmd
}

// TestSharedByProcesses has two processes that ask for an environment at the same
// time, and one more after they have ended.
func TestSharedByProcesses(t *testing.T) {
	file := project(t)
	t.Cleanup(func() { endAll(t, file) })
	visit := func() (id, n string) {
		out, err := help(t, "share", file).CombinedOutput()
		m := regexp.MustCompile(`visited (\S+) (\d+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%v\n%s", err, out)
			return "", ""
		}
		return string(m[1]), string(m[2])
	}
	type result struct{ id, n string }
	results := make(chan result, 2)
	for range 2 {
		go func() {
			id, n := visit()
			results <- result{id, n}
		}()
	}
	first, second := <-results, <-results
	third, n := visit()
	if first.id == "" || first.id != second.id || first.id != third {
		t.Errorf("they used the environments %q, %q and %q, want one", first.id, second.id, third)
	}
	counts := []string{first.n, second.n, n}
	slices.Sort(counts[:2])
	if !slices.Equal(counts, []string{"1", "2", "3"}) {
		t.Errorf("they counted %q, want 1, 2 and 3", counts)
	}
}

// TestSharedLease has an environment whose last user goes, and its lease ends.
func TestSharedLease(t *testing.T) {
	file := project(t)
	t.Cleanup(func() { endAll(t, file) })
	var first string
	t.Run("users", func(t *testing.T) {
		one := rehearsetest.Up(t, file, rehearsetest.Shared("shop", time.Second))
		two := rehearsetest.Up(t, file, rehearsetest.Shared("shop", time.Second))
		other := rehearsetest.Up(t, file, rehearsetest.Shared("shop", time.Second), rehearsetest.Env("GREETING=hello"))
		if one.ID() != two.ID() {
			t.Errorf("one key and one plan give two environments, %s and %s", one.ID(), two.ID())
		}
		if one.ID() == other.ID() {
			t.Error("another plan gives the same environment")
		}
		first = string(one.ID())
	})
	eventually(t, "the environments go when their lease is over", func() bool { return len(standing(file)) == 0 })
	if left := labelled(first); len(left) > 0 {
		t.Errorf("the environment has left the processes %v", left)
	}
}

// TestKilled kills a test binary while its environment stands.
func TestKilled(t *testing.T) {
	file := project(t)
	cmd := help(t, "stay", file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	lines := bufio.NewScanner(out)
	for id == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "standing "); ok {
			id, _, _ = strings.Cut(rest, " ")
		}
	}
	if id == "" || len(labelled(id)) == 0 {
		t.Errorf("no processes of environment %q are seen while it stands", id)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "every process of the environment ends", func() bool { return len(labelled(id)) == 0 })
	t.Run("next", func(t *testing.T) { rehearsetest.Up(t, file) }) // sweeps
	if left := standing(file); len(left) > 0 {
		t.Errorf("the next test has left %v", left)
	}
}

// standing are the records of a project's environments.
func standing(file string) []string {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "state/rehearse/environments/shop-*")) // a pattern that is right
	return found
}

// endAll kills the environments in the background that a test has left standing.
func endAll(t *testing.T, file string) {
	t.Helper()
	for _, dir := range standing(file) {
		meta, err := os.ReadFile(filepath.Join(dir, "meta.json"))
		m := regexp.MustCompile(`"pid": (\d+)`).FindSubmatch(meta)
		if err != nil || m == nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		var pid int
		if _, err := fmt.Sscan(string(m[1]), &pid); err != nil || pid == os.Getpid() {
			t.Errorf("%s is of process %s (%v)", dir, m[1], err)
			continue
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Signal(os.Interrupt) // it may have gone
		}
	}
	eventually(t, "the environments go when they are asked to", func() bool { return len(standing(file)) == 0 })
}

// labelled are the processes that carry an environment's label.
func labelled(id string) []string {
	var out []string
	found, _ := filepath.Glob("/proc/[0-9]*/environ") // a pattern that is right
	for _, f := range found {
		env, err := os.ReadFile(f)
		if err == nil && slices.Contains(strings.Split(string(env), "\x00"), driver.LabelEnvironment+"="+id) {
			out = append(out, filepath.Base(filepath.Dir(f)))
		}
	}
	return out
}

// eventually waits for what must come.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after a minute: %s", what)
		}
	}
}
