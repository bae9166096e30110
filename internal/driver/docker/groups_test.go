package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// TestGroups asks engines as they were seen to describe themselves.
func TestGroups(t *testing.T) {
	whole := system.Info{CgroupDriver: "systemd", CgroupVersion: "2", CPUCfsPeriod: true, CPUCfsQuota: true, MemoryLimit: true, PidsLimit: true}
	noProcessor := whole
	noProcessor.CPUCfsPeriod, noProcessor.CPUCfsQuota = false, false
	podman := whole
	podman.CgroupDriver, podman.CgroupVersion = "cgroupfs", "1"
	limited := rehearse.Service{Name: "web", Limits: rehearse.Limits{CPUs: 0.5, Memory: 1 << 27}}
	for _, c := range []struct {
		name      string
		engine    *engine
		fact      string
		unlimited []string
		refused   []rehearse.DisruptionKind
	}{
		{"root's", &engine{info: whole}, "yes", nil, nil},
		{"rootless, version 2", &engine{info: whole, rootless: true}, "yes", nil, nil},
		{"rootless, without the processor", &engine{info: noProcessor, rootless: true}, "limits of cpus are not applied", []string{"cpus"}, []rehearse.DisruptionKind{rehearse.DisruptCPU}},
		{"rootless Docker, version 1", &engine{info: system.Info{CgroupDriver: "none", CgroupVersion: "1"}, rootless: true}, "limits of cpus, memory, pids are not applied",
			[]string{"cpus", "memory"}, []rehearse.DisruptionKind{rehearse.DisruptPause, rehearse.DisruptCPU, rehearse.DisruptMemory}},
		{"rootless Podman, version 1", &engine{info: podman, rootless: true, podman: true}, "no service can be paused",
			[]string{"cpus", "memory"}, []rehearse.DisruptionKind{rehearse.DisruptPause, rehearse.DisruptCPU, rehearse.DisruptMemory}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if f := c.engine.limitsFact(); !strings.Contains(f.Value+" "+f.Note, c.fact) {
				t.Errorf("it says %q, %q, want %q", f.Value, f.Note, c.fact)
			}
			if got := c.engine.unlimited(limited); !slices.Equal(got, c.unlimited) {
				t.Errorf("the service is free of its limits of %q, want %q", got, c.unlimited)
			}
			if got := c.engine.unlimited(rehearse.Service{Name: "other"}); len(got) > 0 {
				t.Errorf("a service without limits is free of %q", got)
			}
			for _, kind := range []rehearse.DisruptionKind{rehearse.DisruptPause, rehearse.DisruptCPU, rehearse.DisruptMemory, rehearse.DisruptClock} {
				err := c.engine.able(rehearse.Disruption{Kind: kind})
				var known *rehearse.Error
				if (err != nil) != slices.Contains(c.refused, kind) {
					t.Errorf("%s: %v", kind, err)
				} else if err != nil && (!errors.As(err, &known) || known.Kind != rehearse.Unavailable || known.Hint == "") {
					t.Errorf("%s: %v, want an error of kind Unavailable with a hint", kind, err)
				}
			}
		})
	}
}

// An engine without control groups drops a limit without a warning: it is said where
// facts are kept and where the person reads.
func TestUnlimitedIsTold(t *testing.T) {
	var talk bytes.Buffer
	e := newEnvironment(Options{}, &engine{info: system.Info{CgroupDriver: "none", CgroupVersion: "1"}, rootless: true}, driver.Spec{ID: "told", Plan: &rehearse.Plan{}, Log: &talk})
	e.tellUnlimited(rehearse.Service{Name: "web", Limits: rehearse.Limits{Memory: 1 << 27}})
	const why = "a rootless engine has no control groups of version 1"
	if got, want := talk.String(), "web: its limits of memory are not applied: "+why+"\n"; got != want {
		t.Errorf("the talk is %q, want %q", got, want)
	}
	if want := (rehearse.Fact{Name: "limits.web", Value: "memory not applied", Note: why}); !slices.Contains(e.facts, want) {
		t.Errorf("facts %v, want %v among them", e.facts, want)
	}
}

// Such an engine tells of its own group where it is asked what a container uses.
func TestUsageWithoutGroups(t *testing.T) {
	e := newEnvironment(Options{}, &engine{info: system.Info{CgroupDriver: "none"}, local: true}, driver.Spec{ID: "counted", Plan: &rehearse.Plan{}})
	i := &instance{name: "rehearse-counted-web", id: "0a1b2c"}
	i.pid.Store(int64(os.Getpid())) // which is no container's
	u, err := e.usage(t.Context(), i)
	var known *rehearse.Error
	if !errors.As(err, &known) || known.Kind != rehearse.Unavailable || u != (driver.Usage{}) {
		t.Errorf("usage %+v, %v, want none and an error of kind Unavailable", u, err)
	}
}

// A limit that an engine has discarded is not in force, though it answers as if it
// were.
func TestDiscardedLimit(t *testing.T) {
	m := http.NewServeMux()
	m.Handle("/", fakeEngine("1.45", "linux"))
	m.HandleFunc("POST /{v}/containers/{id}/update", func(w http.ResponseWriter, r *http.Request) {
		warnings := []string{"CPU shares: none"}
		if r.PathValue("id") == "discarded" {
			warnings = append(warnings, "Your kernel does not support CPU CFS quota or the cgroup is not mounted. Quota discarded.")
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Warnings": warnings})
	})
	api, err := client.New(client.WithHost("unix://" + onSocket(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	e := newEnvironment(Options{}, &engine{api: api}, driver.Spec{ID: "update", Plan: &rehearse.Plan{}})
	for id, want := range map[string]bool{"kept": false, "discarded": true} {
		err := e.update(context.Background(), &instance{name: id, id: id}, container.Resources{NanoCPUs: 1e8})
		if (err != nil) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
}
