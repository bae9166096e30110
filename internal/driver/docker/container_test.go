package docker_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// say runs scripts in a service and compares what each says.
func (p *place) say(name rehearse.ServiceName, want map[string]string) {
	p.t.Helper()
	got := map[string]string{}
	for script := range want {
		got[script] = p.sh(name, script)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("in %s (-want +got):\n%s", name, diff)
	}
}

// TestCompose has a service ask for everything that an engine can do.
func TestCompose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return at
	}
	yes := true

	full := shell(t, "full", "")
	full.Entrypoint, full.Command = []string{"sh", "-c"}, []string{"echo $GREETING from $(id -u) in $PWD; " + forever}
	full.User, full.WorkingDir, full.Hostname = "1000:1000", "/work", "named"
	full.Env = map[string]string{"GREETING": "hello world"}
	full.Limits = rehearse.Limits{Memory: 64 << 20, CPUs: 0.5, PIDs: 50}
	full.Mounts = []rehearse.Mount{
		{Type: "tmpfs", Target: "/scratch", Size: 1 << 20, Mode: 0o1777},
		{Type: "tmpfs", Target: "/options", Options: "size=2m,mode=700,uid=1000"},
		{Type: "volume", Source: "shared", Target: "/shared"},
		{Type: "volume", Source: "full-anonymous-1", Target: "/own"},
		{Type: "bind", Source: filepath.Dir(file("bound/text", "bound")), Target: "/bound", ReadOnly: true},
		{Type: "config", Content: "inline", Target: "/etc/app/inline", UID: "1000", GID: "1001", Mode: 0o400},
		{Type: "config", Content: "hidden", Target: "/scratch/deep/config"},
		{Type: "secret", Source: file("secret", "of a file"), Target: "/run/secrets/file"},
		{Type: "secret", Env: "TEST_TOKEN", Target: "/run/secrets/variable"},
	}
	full.Container = &rehearse.Container{
		ReadOnly: true, CapDrop: []string{"ALL"}, CapAdd: []string{"NET_BIND_SERVICE"}, Init: &yes, GroupAdd: []string{"2000"},
		Ulimits: []rehearse.Ulimit{{Name: "nofile", Soft: 1000, Hard: 2000}}, Sysctls: map[string]string{"net.core.somaxconn": "77"},
		ShmSize: 8 << 20, ExtraHosts: map[string][]string{"other.example": {"203.0.113.9"}, "host.docker.internal": {"host-gateway"}},
		Labels: map[string]string{"team": "a", "dev.rehearse.state": "another"}, DNSOptions: []string{"ndots:2"},
	}

	p := open(t, newDriver(t, "compose"), "compose", "compose", full, writer(t, file("host/own", "a person's")), joined(t), alone(t), many(t), terminal(t), job(t), failing(t))
	proc, out := p.start("full")
	p.start("writer") // before who joins it
	p.say("full", map[string]string{
		"id -u; id -g; id -G": "1000\n1000\n1000 2000", "pwd": "/work", "hostname": "named", "echo $GREETING": "hello world",
		"stat -c '%a %s' /scratch":                                                               "1777 60",
		"df -k /scratch | awk 'NR==2{print $2}'":                                                 "1024",
		"df -k /options | awk 'NR==2{print $2}'; stat -c %a /options":                            "2048\n700",
		"cat /bound/text; touch /bound/x 2>/dev/null || echo ' kept'":                            "bound kept",
		"touch /etc/x 2>/dev/null || echo kept":                                                  "kept",
		"cat /etc/app/inline; stat -c ' %u %g %a' /etc/app/inline":                               "inline 1000 1001 400",
		"cat /scratch/deep/config":                                                               "hidden",
		"cat /run/secrets/file; stat -c ' %u %g %a' /run/secrets/file":                           "of a file 0 0 444",
		"cat /run/secrets/variable":                                                              "of a variable",
		"awk '/CapBnd/{print $2}' /proc/self/status":                                             "0000000000000400",
		"awk '/open files/{print $4, $5}' /proc/1/limits":                                        "1000 2000",
		"cat /proc/sys/net/core/somaxconn":                                                       "77",
		"df -k /dev/shm | awk 'NR==2{print $2}'":                                                 "8192",
		"awk '/other.example/{print $1}' /etc/hosts; grep -c docker.internal /etc/hosts || true": "203.0.113.9\n0",
		"tr '\\0' ' ' </proc/1/cmdline | cut -c 1-15":                                            "/sbin/docker-in",
		"grep -c 'ndots:2' /etc/resolv.conf":                                                     "1",
	})
	if got, want := out.String(), "hello world from 1000 in /work\nup\n"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	c := p.containers("full")[0]
	if got := c.Config.Labels; got["team"] != "a" || got["dev.rehearse.state"] != "compose" {
		t.Errorf("its labels are %v, want a person's, and ours whatever a person says", got)
	}
	if h := c.HostConfig; h.Memory != 64<<20 || h.NanoCPUs != 5e8 || h.PidsLimit == nil || *h.PidsLimit != 50 {
		t.Errorf("its limits are %d bytes, %d nanocpus, %v pids", h.Memory, h.NanoCPUs, h.PidsLimit)
	}
	if u, err := p.Usage(t.Context(), "full"); err != nil || u.Memory <= 0 || u.Processes < 2 {
		t.Errorf("it uses %+v, %v", u, err)
	}

	p.say("writer", map[string]string{
		"cat /shared/first; cat /from-volume/first": "pre hook of writer\npre hook of writer",
		"cat /started":                                  "1000 extra",
		"stat -c '%a %u' /tmp /tmp/config /etc":         "1777 0\n440 1000\n755 0",
		"stat -c %a /new /new/deep; cat /new/deep/file": "755\n755\ninline",
		"ls /host": "nested\nown", "cat /host/nested": "nested",
	})
	if got, err := os.ReadFile(filepath.Join(dir, "host/nested")); err != nil || len(got) > 0 {
		t.Errorf("a config below a bind mount was written to the host: %q, %v", got, err)
	}
	p.start("joined")
	p.say("joined", map[string]string{
		"cat /shared/first; touch /shared/x 2>/dev/null || echo kept": "pre hook of writer\nkept",
		"hostname":                                   "writer",
		"nc -w 5 127.0.0.1 9000 </dev/null":          "over loopback",
		"tr '\\0' ' ' </proc/1/cmdline | cut -c 1-5": "sh -c",
		"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c ' 9000'": "1",
	})
	p.start("alone")
	p.say("alone", map[string]string{"ls /sys/class/net": "lo"})

	p.start("many")
	named := map[string]string{} // by address
	instances := func(connections int) map[string]bool {
		seen := map[string]bool{}
		for range connections {
			c := p.dial("many", 8080)
			at := c.RemoteAddr().String()
			seen[at] = true
			name := questioned(t, c, "hostname")
			c.Close()
			if !slices.Contains([]string{"many-1", "many-2", "many-3"}, name) || named[at] != "" && named[at] != name {
				t.Errorf("the instance at %s is called %q, want many-1, -2 or -3, always the same", at, name)
			}
			named[at] = name
		}
		return seen
	}
	for deadline := time.Now().Add(30 * time.Second); len(instances(6)) < 3 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // one does not listen yet
	}
	if seen := instances(3); len(seen) != 3 {
		t.Errorf("three connections went to %v, want one to each instance", seen)
	}
	if len(slices.Compact(slices.Sorted(maps.Values(named)))) != 3 {
		t.Errorf("the instances are called %v, want each something else", named)
	}
	if got := p.ask("many", "dial many 8080"); !strings.HasPrefix(got, "many-") {
		t.Errorf("by the service's own name an instance reaches %q, want itself", got)
	}

	for name, want := range map[rehearse.ServiceName]string{"terminal": "terminal\r\n", "job": "done\n"} {
		proc, out := p.start(name)
		if exit := p.ended(proc); exit.Code != 0 || out.String() != want {
			t.Errorf("%s ends with %+v and says %q, want %q", name, exit, out, want)
		}
	}

	if err := p.Prepare(t.Context(), "failing"); err != nil {
		t.Fatal(err)
	}
	_, err := p.Start(t.Context(), "failing", driver.Output{})
	if known, ok := errors.AsType[*rehearse.Error](err); !ok || known.Kind != rehearse.NotReady || !strings.Contains(known.Hint, "no good") || !strings.Contains(err.Error(), "exit 4") {
		t.Errorf("a failing hook: %s", hinted(err))
	}
	if cs := p.containers("failing"); len(cs) != 1 || cs[0].State.Running {
		t.Error("after a failing hook the service runs on")
	}

	if err := proc.Signal(driver.Signal("TERM")); err != nil {
		t.Fatal(err)
	}
	if exit := p.ended(proc); exit.Code != 3 || exit.Reason != "exit 3" {
		t.Errorf("full ends with %+v, want exit 3", exit)
	}
}

// writer writes what others read, and has files of ours in the most awkward places.
func writer(t *testing.T, own string) rehearse.Service {
	s := shell(t, "writer", "while :; do echo over loopback | nc -l -p 9000; done")
	s.User = "1000"
	s.Mounts = []rehearse.Mount{
		{Type: "volume", Source: "shared", Target: "/shared"},
		{Type: "volume", Source: "shared", Target: "/from-volume", ReadOnly: true},
		{Type: "config", Content: "tmp", Target: "/tmp/config", UID: "1000", Mode: 0o440},
		{Type: "config", Content: "inline", Target: "/new/deep/file"},
		{Type: "bind", Source: filepath.Dir(own), Target: "/host"},
		{Type: "config", Content: "nested", Target: "/host/nested"},
	}
	s.Container.PreStart = []rehearse.Hook{
		{Command: []string{"sh", "-c", "chmod 777 /shared; echo $WORD of $(hostname) >/shared/first"}, User: "0", Env: map[string]string{"WORD": "pre hook"}},
	}
	s.Container.PostStart = []rehearse.Hook{
		{Command: []string{"sh", "-c", "chmod 777 /"}, User: "0"},
		{Command: []string{"sh", "-c", "echo $(id -u) $WORD >/started"}, Env: map[string]string{"WORD": "extra"}},
	}
	return s
}

func joined(t *testing.T) rehearse.Service {
	s := shell(t, "joined", forever)
	s.Container.Network, s.Container.PID, s.Container.VolumesFrom = "service:writer", "service:writer", []string{"writer:ro"}
	return s
}

func alone(t *testing.T) rehearse.Service {
	s := shell(t, "alone", forever)
	s.Container.Network = "none"
	return s
}

func many(t *testing.T) rehearse.Service {
	s := server(t, "many")
	s.Container.Replicas = 3
	return s
}

func terminal(t *testing.T) rehearse.Service {
	s := shell(t, "terminal", "test -t 1 && echo terminal")
	s.Container.TTY = true
	return s
}

func job(t *testing.T) rehearse.Service {
	s := shell(t, "job", "echo done")
	s.Job = true
	return s
}

func failing(t *testing.T) rehearse.Service {
	s := shell(t, "failing", forever)
	s.Container.PostStart = []rehearse.Hook{{Command: []string{"sh", "-c", "echo no good; exit 4"}}}
	return s
}
