package testdocker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const needsNamespaces = "starting an engine needs a host that lets root make network namespaces and control groups"

// keep starts the engine of a directory and returns when it has ended it.
func keep(dir string, linger time.Duration) error {
	// The kernel ends the engine with the thread that started it, and gives it the
	// thread's network.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("%s: %w", needsNamespaces, err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	if err := enterGroup(filepath.Join(groupOf(dir), "engine")); err != nil {
		return fmt.Errorf("%s: %w", needsNamespaces, err)
	}
	ended := make(chan error, 2)
	for _, args := range commands(dir) {
		path, err := lookPath(args[0])
		if err != nil {
			return err
		}
		cmd := exec.Command(path, args[1:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = "/", os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return err
		}
		go func() { ended <- fmt.Errorf("%s: %v", args[0], cmd.Wait()) }()
	}
	starting, err := unused(dir, linger, ended)
	if err != nil {
		// Whoever starts the next one sweeps, and reads the log before.
		return errors.Join(err, leaveGroup(), killGroup(groupOf(dir)))
	}
	defer starting.Close()
	return errors.Join(leaveGroup(), sweep(dir), os.RemoveAll(dir))
}

// commands are the programs that are an engine. Its containerd is its own even
// where the host runs another, so that no container is in that one's care.
func commands(dir string) [][]string {
	in := func(name string) string { return filepath.Join(dir, name) }
	return [][]string{
		{"containerd", "--config", in("containerd.toml"), "--root", in("containerd"), "--state", in("run/containerd"), "--address", in("run/containerd.sock"), "--log-level", "error"},
		{"dockerd", "--config-file", in("docker.json"), "--data-root", in("data"), "--exec-root", in("run/docker"), "--pidfile", in("docker.pid"), "--host", "unix://" + in("docker.sock"),
			"--containerd", in("run/containerd.sock"), "--cgroup-parent", "/" + groupOf(dir), "--exec-opt", "native.cgroupdriver=cgroupfs", "--log-level", "error"},
	}
}

// unused waits until nobody has used an engine for a while, or until it has ended
// by itself, which is an error. In the first case nobody can start one or join
// until the file that it returns is closed.
func unused(dir string, linger time.Duration, ended <-chan error) (*os.File, error) {
	users, err := openLock(filepath.Join(dir, "users"))
	if err != nil {
		return nil, err
	}
	defer users.Close()
	since := time.Now()
	for {
		select {
		case err := <-ended:
			return nil, err
		case <-time.After(250 * time.Millisecond):
		}
		if !free(users) {
			since = time.Now()
		}
		if time.Since(since) < linger {
			continue
		}
		starting, err := lockStarting(dir)
		if err != nil {
			return nil, err
		}
		if free(users) {
			return starting, nil
		}
		starting.Close()
		since = time.Now()
	}
}

// free says whether nobody holds a lock.
func free(f *os.File) bool {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	return true
}

// sweep ends whatever runs of an engine that was in a directory, and removes all
// but the directory's locks. It leaves what an engine needs to find there.
func sweep(dir string) error {
	if err := killGroup(groupOf(dir)); err != nil {
		return err
	}
	if err := unmountUnder(dir); err != nil {
		return err
	}
	// Shims listen at addresses that their containerd does not choose.
	addresses, _ := filepath.Glob(filepath.Join(dir, "run/containerd/io.containerd.runtime.v2.task/*/*/address"))
	for _, a := range addresses {
		if socket, err := os.ReadFile(a); err == nil {
			_ = os.Remove(strings.TrimPrefix(string(socket), "unix://"))
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "starting" && e.Name() != "users" {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return errors.Join(
		os.Mkdir(filepath.Join(dir, "run"), 0o700),
		os.WriteFile(filepath.Join(dir, "docker.json"), []byte("{}\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "containerd.toml"), []byte("version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"), 0o600))
}

func unmountUnder(dir string) error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var points []string
	for line := range strings.Lines(string(info)) {
		// man 5 proc: the fifth field is the mount point.
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			points = append(points, f[4])
		}
	}
	slices.Reverse(points)
	for _, p := range points {
		if err := unix.Unmount(p, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %s: %w", p, err)
		}
	}
	return nil
}

const groups = "/sys/fs/cgroup"

// groupOf is the control group that all processes of an engine are in, and their
// containers'.
func groupOf(dir string) string { return filepath.Base(dir) }

// hierarchies are the mounts of control groups: one in the second version, one
// for each controller in the first.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(groups, "cgroup.procs")); err == nil {
		return []string{groups}
	}
	found, _ := filepath.Glob(filepath.Join(groups, "*/cgroup.procs"))
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found
}

// enterGroup puts this process into a group, in one hierarchy that says of every
// process whose it is.
func enterGroup(name string) error {
	parent := groups
	if _, err := os.Stat(filepath.Join(groups, "pids")); err == nil {
		parent = filepath.Join(groups, "pids")
	}
	group := filepath.Join(parent, name)
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0)
}

// leaveGroup undoes enterGroup.
func leaveGroup() error { return enterGroup("") }

// killGroup ends every process in a group, at whatever depth, and removes it.
func killGroup(name string) error {
	self := strconv.Itoa(os.Getpid())
	deadline := time.Now().Add(5 * time.Second)
	for {
		found := 0
		for _, h := range hierarchies() {
			_ = filepath.WalkDir(filepath.Join(h, name), func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.IsDir() {
					return nil
				}
				procs, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
				for pid := range strings.FieldsSeq(string(procs)) {
					if n, err := strconv.Atoi(pid); err == nil && pid != self {
						found++
						_ = syscall.Kill(n, syscall.SIGKILL)
					}
				}
				return nil
			})
		}
		if found == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of the group %s do not end", found, name)
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, h := range hierarchies() {
		if err := removeGroup(filepath.Join(h, name)); err != nil {
			return err
		}
	}
	return nil
}

func removeGroup(path string) error {
	entries, err := os.ReadDir(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroup(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(path)
}

// loopbackUp lets the thread's network talk to itself.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}
