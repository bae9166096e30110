package killtest

import (
	"bytes"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The experiment breaks everything at once, for longer than any test waits. The load
// speaks HTTP to a database, which nobody minds here.
const experimentFile = `
name: killtest
services:
  app:
    process: {command: [sh, -c, "echo running; exec sleep 3600"]}
    ready: {log: running}
traffic:
  small: {profile: small.traffic.yaml, target: db}
rehearsal:
  - experiment: everything
experiments:
  everything:
    before: 100ms
    method:
      - {link: "ingress:db", fault: reset, at: 0s, for: 10m}
      - {service: app, fault: pause, at: 0s, for: 10m}
      - {service: db, fault: disk-full, at: 0s, for: 10m}
`

// squeezes are what is broken besides where there are control groups.
const squeezes = `
      - {service: app, fault: cpu, cpus: 0.1, at: 0s, for: 10m}
      - {service: app, fault: memory, memory: 64MiB, at: 0s, for: 10m}
`

const trafficFile = `
version: 1
duration: 1s
rate: [{at: 0s, rps: 2}]
requests: [{name: home, path: /}]
`

// TestExperimentKilled ends whoever runs an experiment, while everything is broken.
// What was broken at an environment that stands is mended, and of one that was the
// experiment's own nothing is left.
func TestExperimentKilled(t *testing.T) {
	l := newLab(t)
	text := experimentFile
	if l.groups != "" {
		text += squeezes
	}
	for name, content := range map[string]string{"experiment.yaml": text, "small.traffic.yaml": trafficFile} {
		if err := os.WriteFile(filepath.Join(l.project, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l.must(t, "up", "-d", "--config", "experiment.yaml")
	printed, err := l.command("open", "--print", "db").Output()
	if err != nil {
		t.Fatal(err)
	}
	ingress, err := url.Parse(string(bytes.TrimSpace(printed)))
	if err != nil {
		t.Fatal(err)
	}
	calm := l.conditions(ingress.Host)
	begin := func() *running {
		c := l.start(t, "experiment", "run", "everything", "--config", "experiment.yaml")
		poll(t, 30*time.Second, "not broken yet", func() []string { return l.untouched(calm, ingress.Host) })
		return c
	}

	c := begin()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.wait(t, time.Minute)
	if code, left := c.cmd.ProcessState.ExitCode(), changed(calm, l.conditions(ingress.Host)); code != 130 || len(left) > 0 {
		t.Errorf("after Ctrl-C: exit %d, and still broken: %s\n%s", code, strings.Join(left, ", "), c.talk())
	}

	c = begin()
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	poll(t, endsWithin, "after kill -9", func() []string { return changed(calm, l.conditions(ingress.Host)) })
	c.wait(t, endsWithin)
	l.must(t, "exec", "app", "true") // the environment still stands
	l.must(t, "down")
	poll(t, endsWithin, "after down", l.left)

	c = l.start(t, "run", "--config", "experiment.yaml")
	poll(t, 30*time.Second, "not broken yet", func() []string { return l.untouched(calm, "") })
	l.kill(t, c, 0)
	l.nothing(t)
}

// conditions are what the kernel shows of the services of the one environment, and
// whether the database answers at an address; without an address nobody asks.
func (l *lab) conditions(address string) map[string]string {
	out := map[string]string{}
	for _, p := range processes() {
		if !l.ours(p) {
			continue
		}
		if p.name == "sleep 3600" {
			out["the app"] = "runs"
			if stat, err := os.ReadFile("/proc/" + p.pid + "/stat"); err == nil && bytes.Contains(stat, []byte(") T ")) {
				out["the app"] = "is paused"
			}
		}
		mounts, err := os.ReadFile("/proc/" + p.pid + "/mountinfo")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(mounts)) {
			if fields := strings.Fields(line); len(fields) > 4 && strings.HasSuffix(fields[4], "/db/written") {
				out["the database's disk"] = fields[len(fields)-1]
			}
		}
	}
	if l.groups != "" {
		for what, files := range map[string][]string{
			"cpu": {"cpu/*/app/cpu.cfs_quota_us", "*/app/cpu.max"}, "memory": {"memory/*/app/memory.limit_in_bytes", "*/app/memory.max"},
		} {
			for _, file := range files {
				found, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", strings.Replace(file, "*", l.groups+"*", 1)))
				for _, file := range found {
					if value, err := os.ReadFile(file); err == nil {
						out["the app's "+what] = string(bytes.TrimSpace(value))
					}
				}
			}
		}
	}
	if address != "" {
		out["the way to the database"] = greeting(address)
	}
	return out
}

// greeting is how PostgreSQL, or what lies before it, answers who asks for TLS.
func greeting(address string) string {
	c, err := net.DialTimeout("tcp", address, endsWithin)
	if err != nil {
		return "refused"
	}
	defer c.Close()
	answer := make([]byte, 1)
	if err := c.SetDeadline(time.Now().Add(endsWithin)); err != nil {
		return err.Error()
	}
	_, err = c.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}) // SSLRequest
	if err == nil {
		_, err = c.Read(answer)
	}
	if err != nil {
		return "broken"
	}
	return string(answer)
}

// changed lists what is not as it was.
func changed(calm, now map[string]string) []string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(calm)) {
		if now[what] != calm[what] {
			out = append(out, what+": "+now[what])
		}
	}
	return out
}

// untouched lists what the experiment has not broken yet.
func (l *lab) untouched(calm map[string]string, address string) []string {
	var out []string
	now := l.conditions(address)
	for what, was := range calm {
		value, seen := now[what]
		if value == was || !seen && (address != "" || what != "the way to the database") {
			out = append(out, what)
		}
	}
	return out
}
