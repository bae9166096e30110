package killtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/driver"
)

// host is what this host shows of the environments of one state directory. It
// asks the kernel, and never rehearse.
type host struct {
	home   string          // XDG_STATE_HOME of every rehearse that the test starts
	label  string          // REHEARSE_STATE of everything that those start
	groups string          // the beginning of the names of their control groups; empty where they have none
	before map[string]bool // the listeners, by inode, that were there before
}

// learn finds out from a standing environment how its things are marked.
func (h *host) learn(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(h.store())
	if err != nil || len(entries) != 1 {
		t.Fatalf("the store holds %v (%v), want the one standing environment", entries, err)
	}
	id := entries[0].Name()
	for _, p := range processes() {
		if p.env[driver.LabelEnvironment] == id {
			h.label = p.env[driver.LabelState]
		}
	}
	if h.label == "" {
		t.Fatalf("no process carries the label of %s", id)
	}
	journal, err := os.ReadFile(filepath.Join(h.store(), id, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(journal)) {
		var e struct{ Remnant driver.Remnant }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if prefix, ok := strings.CutSuffix(filepath.Base(e.Remnant.Name), id); ok && e.Remnant.Kind == "cgroup" {
			h.groups = prefix
		}
	}
	if h.groups == "" {
		t.Log("this host lets us make no control groups, so that none can be left")
	}
	// What cannot see a standing environment would never see what is left of one.
	for what, seen := range map[string][]string{
		"processes": h.running(), "mounts": h.mounts(), "listeners": h.listeners(), "directories": h.directories(),
	} {
		if len(seen) == 0 {
			t.Errorf("of the standing environment no %s are found", what)
		}
	}
	if len(h.groupsLeft()) == 0 && h.groups != "" {
		t.Errorf("of the standing environment no control groups %s* are found", h.groups)
	}
}

func (h *host) store() string { return filepath.Join(h.home, "rehearse", "environments") }

// left lists everything of ours that there is.
func (h *host) left() []string {
	out := append(h.running(), h.mounts()...)
	out = append(out, h.listeners()...)
	out = append(out, h.groupsLeft()...)
	return append(out, h.directories()...)
}

type process struct {
	pid, name string
	env       map[string]string
}

func (p process) String() string { return "process " + p.pid + " (" + p.name + ")" }

// processes lists the living processes of this host, as far as we may see them.
func processes() []process {
	var out []process
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile, or is none of ours
		}
		dir := filepath.Dir(file)
		p := process{pid: filepath.Base(dir), env: map[string]string{}}
		for kv := range bytes.SplitSeq(environ, []byte{0}) {
			k, v, _ := strings.Cut(string(kv), "=")
			p.env[k] = v
		}
		if args, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil {
			p.name = strings.TrimSpace(string(bytes.ReplaceAll(args, []byte{0}, []byte{' '})))
		}
		out = append(out, p)
	}
	return out
}

func (h *host) ours(p process) bool {
	return p.env[driver.LabelState] == h.label || p.env["XDG_STATE_HOME"] == h.home
}

func (h *host) running() []string {
	var out []string
	for _, p := range processes() {
		if h.ours(p) {
			out = append(out, p.String())
		}
	}
	return out
}

// mounts lists mounts in our state directory, in whatever mount namespace.
func (h *host) mounts() []string {
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, file := range append(files, "/proc/self/mountinfo") {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if strings.Contains(lines.Text(), h.home) {
				out = append(out, file+": "+lines.Text())
			}
		}
		f.Close()
	}
	return out
}

// listeners lists the host's listening sockets that were not there before and
// that one of ours holds, or nobody, as when a socket is on its way.
func (h *host) listeners() []string {
	fresh := map[string]string{}
	for inode, addr := range listening() {
		if !h.before[inode] {
			fresh["socket:["+inode+"]"] = addr
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	for _, p := range processes() {
		if h.ours(p) {
			continue
		}
		fds, _ := filepath.Glob("/proc/" + p.pid + "/fd/*")
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil {
				delete(fresh, to) // somebody else's
			}
		}
	}
	var out []string
	for socket, addr := range fresh {
		out = append(out, "listener "+addr+" "+socket)
	}
	return out
}

// listening maps the inode of each listening socket to its address.
func listening() map[string]string {
	out := map[string]string{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // there is no IPv6
		}
		for line := range strings.Lines(string(data)) {
			const listen = "0A"
			if f := strings.Fields(line); len(f) > 9 && f[3] == listen {
				out[f[9]] = f[1]
			}
		}
	}
	return out
}

func (h *host) groupsLeft() []string {
	if h.groups == "" {
		return nil
	}
	var out []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, _ := filepath.Glob(pattern + h.groups + "*")
		out = append(out, found...)
	}
	return out
}

func (h *host) directories() []string {
	var out []string
	entries, _ := os.ReadDir(h.store()) // there may be none yet
	for _, e := range entries {
		out = append(out, filepath.Join(h.store(), e.Name()))
	}
	return out
}
