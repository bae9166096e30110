package compose

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// service maps one service. What it leaves out, noteFields names.
func (m *mapper) service(s types.ServiceConfig) rehearse.Service {
	out := rehearse.Service{
		Name:       rehearse.ServiceName(s.Name),
		Image:      s.Image,
		Build:      m.build(s),
		Entrypoint: s.Entrypoint,
		Command:    s.Command,
		Env:        environment(s.Environment),
		WorkingDir: s.WorkingDir,
		User:       s.User,
		Hostname:   s.Hostname,
		Networks:   m.networks(s),
		Aliases:    m.aliases(s),
		Ports:      m.ports(s),
		Mounts:     m.mounts(s),
		Needs:      m.needs(s),
		Ready:      readiness(s.HealthCheck, m.containers()),
		Limits:     limits(s),
		StopSignal: s.StopSignal,
		Restart:    restart(s),
		Container:  m.container(s),
	}
	if s.StopGracePeriod != nil {
		out.StopGrace = rehearse.Duration(*s.StopGracePeriod)
	}
	return out
}

// environment drops the variables that have a name but no value: Compose leaves
// them unset.
func environment(env types.MappingWithEquals) map[string]string {
	if len(env) == 0 {
		return nil
	}
	out := make(map[string]string, len(env))
	for k, v := range env {
		if v != nil {
			out[k] = *v
		}
	}
	return out
}

// networks lists the networks that a service is on. A service with a
// network_mode is on none in Compose, yet reaches others some other way (by the
// host's network or by another service's), so it joins them all here, unless a container can
// be in the other service's.
func (m *mapper) networks(s types.ServiceConfig) []string {
	if len(s.Networks) > 0 {
		return slices.Sorted(maps.Keys(s.Networks))
	}
	switch s.NetworkMode {
	case "none":
		return nil
	case "", "bridge", "default":
		return []string{"default"}
	}
	if m.containers() && joinsNetworkOf(s) {
		return nil
	}
	all := map[string]bool{}
	for _, other := range m.project.Services {
		for name := range other.Networks {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// aliases collects the names that others know the service by, and records who
// may use which.
func (m *mapper) aliases(s types.ServiceConfig) []string {
	upstream := rehearse.ServiceName(s.Name)
	all := map[string]bool{}
	add := func(n Name) {
		if n.Name == "" || n.Name == s.Name {
			return
		}
		n.Upstream = upstream
		m.out.Names = append(m.out.Names, n)
		if n.Client == "" {
			all[n.Name] = true
		}
	}
	add(Name{Name: s.ContainerName})
	for network, c := range s.Networks {
		if c == nil {
			continue
		}
		for _, alias := range c.Aliases {
			add(Name{Name: alias, Network: network})
		}
	}
	for _, client := range m.project.Services {
		for _, link := range client.Links {
			to, alias, _ := strings.Cut(link, ":")
			if to == s.Name {
				add(Name{Name: alias, Client: rehearse.ServiceName(client.Name)})
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// needs maps depends_on, which compose-go has completed with links and the like.
func (m *mapper) needs(s types.ServiceConfig) []rehearse.Need {
	var needs []rehearse.Need
	for _, name := range slices.Sorted(maps.Keys(s.DependsOn)) {
		d := s.DependsOn[name]
		to, enabled := m.project.Services[name]
		if !enabled || m.leavesOut(to) {
			continue // it is not required, or has its own note
		}
		condition := rehearse.Condition(d.Condition)
		if condition == "" {
			condition = rehearse.Started
		}
		needs = append(needs, rehearse.Need{Service: rehearse.ServiceName(name), Condition: condition, Optional: !d.Required})
	}
	return needs
}

// markJobs sets Job on the services that another one waits for to complete.
func (m *mapper) markJobs() {
	jobs := map[rehearse.ServiceName]bool{}
	for _, s := range m.out.Services {
		for _, n := range s.Needs {
			if n.Condition == rehearse.Completed {
				jobs[n.Service] = true
			}
		}
	}
	for i := range m.out.Services {
		m.out.Services[i].Job = jobs[m.out.Services[i].Name]
	}
}

// limits prefers deploy.resources.limits to the older keys, as Compose does.
func limits(s types.ServiceConfig) rehearse.Limits {
	l := rehearse.Limits{CPUs: decimal(s.CPUS), Memory: int64(s.MemLimit), PIDs: s.PidsLimit}
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		d := s.Deploy.Resources.Limits
		if d.NanoCPUs > 0 {
			l.CPUs = decimal(float32(d.NanoCPUs))
		}
		if d.MemoryBytes > 0 {
			l.Memory = int64(d.MemoryBytes)
		}
		if d.Pids != 0 {
			l.PIDs = d.Pids
		}
	}
	l.PIDs = max(l.PIDs, 0)     // -1 is Compose's "unlimited"
	l.Memory = max(l.Memory, 0) // likewise
	return l
}

// decimal widens a number to the decimal that was written, so that 0.1 does not
// become 0.10000000149.
func decimal(f float32) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return v
}

// restart is the restart policy; deploy.restart_policy is the same in Swarm's
// words.
func restart(s types.ServiceConfig) string {
	if s.Restart != "" || s.Deploy == nil || s.Deploy.RestartPolicy == nil {
		return s.Restart
	}
	switch p := s.Deploy.RestartPolicy; p.Condition {
	case "none":
		return "no"
	case "on-failure":
		if p.MaxAttempts != nil {
			return "on-failure:" + strconv.FormatUint(*p.MaxAttempts, 10)
		}
		return "on-failure"
	default:
		return "always"
	}
}

// The bounds of how long a service may take to become ready.
const (
	defaultReady = 60 * time.Second
	longestReady = 10 * time.Minute
)

// readiness turns a healthcheck into a probe. How often Docker would ask does
// not matter here, but how long it would wait does: the start period, and then
// every retry with its interval and timeout. Where image says that services
// run from their images, a healthcheck without a test is about the image's own.
func readiness(h *types.HealthCheckConfig, image bool) rehearse.Readiness {
	r := rehearse.Readiness{Timeout: rehearse.Duration(defaultReady)}
	if h == nil || h.Disable || len(h.Test) == 0 && !image {
		return r
	}
	switch kind, args := cutTest(h.Test); {
	case kind == "":
	case kind == "CMD" && len(args) > 0:
		r.Probes = []rehearse.Probe{{Command: args}}
	case kind == "CMD-SHELL" && len(args) > 0:
		r.Probes = []rehearse.Probe{{Shell: strings.Join(args, " ")}}
	default: // NONE, or a test with nothing to run
		return r
	}
	if h.Interval == nil && h.Timeout == nil && h.Retries == nil && h.StartPeriod == nil {
		return r
	}
	or := func(d *types.Duration, standard time.Duration) time.Duration {
		if d == nil {
			return standard
		}
		return min(time.Duration(*d), longestReady)
	}
	retries := uint64(3)
	if h.Retries != nil {
		retries = min(*h.Retries, 100)
	}
	total := or(h.StartPeriod, 0) + time.Duration(retries)*(or(h.Interval, 30*time.Second)+or(h.Timeout, 30*time.Second))
	r.Timeout = rehearse.Duration(min(max(total, defaultReady), longestReady))
	return r
}

// cutTest takes the kind off a healthcheck's test; it is empty where there is none.
func cutTest(test []string) (kind string, args []string) {
	if len(test) == 0 {
		return "", nil
	}
	return test[0], test[1:]
}
