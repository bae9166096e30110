package docker

import (
	"context"
	"encoding/json"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/cgroup"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/processes"
)

// Usage is what all instances of a service use together.
func (e *environment) Usage(ctx context.Context, name rehearse.ServiceName) (driver.Usage, error) {
	s, err := e.service(name)
	if err != nil {
		return driver.Usage{}, err
	}
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	var sum driver.Usage
	if p == nil {
		return sum, nil
	}
	for _, i := range p.alive() {
		u, err := e.usage(ctx, i)
		if err != nil {
			return sum, err
		}
		sum.Memory += u.Memory
		sum.CPU += u.CPU
		sum.Processes += u.Processes
		sum.Throttled.Periods += u.Throttled.Periods
		sum.Throttled.Throttled += u.Throttled.Throttled
		sum.Throttled.For += u.Throttled.For
	}
	return sum, nil
}

// usage reads what the kernel counts, where the engine's processes are this host's:
// an engine, asked twice, may keep who asks waiting for its next look, a second later.
func (e *environment) usage(ctx context.Context, i *instance) (driver.Usage, error) {
	if pid := int(i.pid.Load()); e.engine.local && pid > 1 {
		if u, err := cgroup.Of(pid, i.id).Usage(); err == nil {
			return u, nil
		}
	}
	if !e.engine.grouped() {
		return e.counted(i)
	}
	got, err := e.engine.api.ContainerStats(ctx, i.id, client.ContainerStatsOptions{})
	if err != nil {
		if isGone(err) {
			return driver.Usage{}, nil
		}
		return driver.Usage{}, explain(err)
	}
	defer got.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(got.Body).Decode(&s); err != nil {
		return driver.Usage{}, err
	}
	held := s.CPUStats.ThrottlingData
	return driver.Usage{
		Memory: resident(s.MemoryStats), CPU: rehearse.Duration(s.CPUStats.CPUUsage.TotalUsage),
		Processes: int(s.PidsStats.Current),
		Throttled: rehearse.Throttling{Periods: int64(held.Periods), Throttled: int64(held.ThrottledPeriods), For: rehearse.Duration(held.ThrottledTime)},
	}, nil
}

// counted asks an instance's processes. An engine without control groups tells of the
// one that it is in itself: of everything that its user, or the host, has done.
func (e *environment) counted(i *instance) (driver.Usage, error) {
	if pid := int(i.pid.Load()); e.engine.local && pid > 1 && processes.Mounts(pid, i.id) {
		if all := processes.Among(pid); len(all) > 0 {
			return processes.Usage(all), nil
		}
	}
	return driver.Usage{}, &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: "nobody counts what " + i.name + " uses: " + e.engine.whyUnheld(), Hint: e.engine.groupsHint(),
	}
}

// resident leaves out the page cache that the kernel would give back at once, as
// the engine's own command does: it has another name in each version of control
// groups.
func resident(m container.MemoryStats) int64 {
	for _, cache := range []string{"total_inactive_file", "inactive_file"} {
		if v, ok := m.Stats[cache]; ok && v < m.Usage {
			return int64(m.Usage - v)
		}
	}
	return int64(m.Usage)
}
