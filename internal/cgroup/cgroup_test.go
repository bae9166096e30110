package cgroup

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

func TestGroups(t *testing.T) {
	const id = "0a1b"
	for _, c := range []struct {
		name, list string
		want       Group
	}{
		{"version 1", "4:memory:/docker/0a1b\n2:cpu,cpuacct:/docker/0a1b\n9:name=systemd:/\n", Group{
			"memory": root + "/memory/docker/0a1b", "cpu": root + "/cpu/docker/0a1b", "cpuacct": root + "/cpuacct/docker/0a1b",
		}},
		{"version 2, systemd, a group of the container's own", "0::/system.slice/docker-0a1b.scope/init.scope\n", Group{"": root + "/system.slice/docker-0a1b.scope"}},
		{"another process", "4:memory:/user\n0::/user\n", Group{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := groups(c.list, id); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	want := driver.Usage{
		Memory: 700, CPU: rehearse.Duration(5 * time.Millisecond), Processes: 3,
		Throttled: rehearse.Throttling{Periods: 8, Throttled: 2, For: rehearse.Duration(time.Millisecond)},
	}
	for _, c := range []struct {
		name  string
		group Group
		files map[string]string
	}{
		{"version 1", Group{"memory": "m", "cpu": "c", "cpuacct": "a", "pids": "p"}, map[string]string{
			"m/memory.usage_in_bytes": "1000\n", "m/memory.stat": "inactive_file 1\ntotal_inactive_file 300\n", "a/cpuacct.usage": "5000000\n",
			"p/pids.current": "3\n", "c/cpu.stat": "nr_periods 8\nnr_throttled 2\nthrottled_time 1000000\n",
		}},
		{"version 2", Group{"": "u"}, map[string]string{
			"u/memory.current": "1000\n", "u/memory.stat": "inactive_file 300\n", "u/pids.current": "3\n",
			"u/cpu.stat": "usage_usec 5000\nnr_periods 8\nnr_throttled 2\nthrottled_usec 1000\n",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range c.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			g := Group{}
			for k, sub := range c.group {
				g[k] = filepath.Join(dir, sub)
			}
			if got, err := g.Usage(); err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
	if _, err := (Group{}).Usage(); err == nil {
		t.Error("a container without groups has a usage")
	}
}
