package processes

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

// A namespace of processes of our own stands for a container.
func TestAmong(t *testing.T) {
	cmd := exec.Command("sh", "-c", "cat & echo started; wait")
	// Our own user is the only one in it, so that no right is needed.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	keep, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("this host lets nobody make a namespace of users: %v", err)
	}
	defer func() {
		_ = keep.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := bufio.NewReader(said).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	first := cmd.Process.Pid
	all := Among(first)
	if len(all) != 2 || !slices.Contains(all, first) || slices.Contains(all, os.Getpid()) {
		t.Fatalf("among %d: %v, want it and one more", first, all)
	}
	u := Usage(all)
	if u.Processes != 2 || u.Memory <= 0 || u.Memory > 100e6 {
		t.Errorf("usage %+v, want that of two small processes", u)
	}
	all = slices.DeleteFunc(all, func(pid int) bool { return pid == first })
	for _, not := range []int{all[0], os.Getpid()} {
		if got := Among(not); got != nil {
			t.Errorf("among %d, which is not the first of a namespace below ours: %v", not, got)
		}
	}
	if got := Inner(first); got != 1 {
		t.Errorf("inner number %d, want 1", got)
	}
}
