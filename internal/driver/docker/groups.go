package docker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// An engine without control groups, as a rootless one is where the kernel has those
// of version 1, takes every limit without a word and holds no container to it.

// grouped says whether each container has control groups of its own.
func (e *engine) grouped() bool {
	return e.info.CgroupDriver != "none" && !(e.rootless && e.info.CgroupVersion == "1")
}

// unheld lists the resources of which containers take what they want, whatever their
// limit, in the words of deploy.resources.limits.
func (e *engine) unheld() []string {
	var out []string
	for _, r := range []struct {
		name string
		held bool
	}{{"cpus", e.info.CPUCfsPeriod && e.info.CPUCfsQuota}, {"memory", e.info.MemoryLimit}, {"pids", e.info.PidsLimit}} {
		if !r.held || !e.grouped() {
			out = append(out, r.name)
		}
	}
	return out
}

// whyUnheld says why limits of some resources are not applied.
func (e *engine) whyUnheld() string {
	switch {
	case !e.grouped() && e.rootless:
		return "a rootless engine has no control groups of version 1"
	case !e.grouped():
		return "the engine has no control groups"
	case e.rootless:
		return "the user of the rootless engine has not been given these control groups"
	}
	return "the engine's host does not have these control groups"
}

// groupsHint says how an engine comes by control groups.
func (e *engine) groupsHint() string {
	if e.rootless {
		return "A rootless engine has control groups where the host boots with version 2 of them and systemd gives them to the user (Delegate=cpu memory pids). Or use an engine that runs as root."
	}
	return "Use an engine whose host has control groups."
}

// limitsFact says whether services are held to their limits.
func (e *engine) limitsFact() rehearse.Fact {
	not := e.unheld()
	if len(not) == 0 {
		return rehearse.Fact{Name: "engine.limits", Value: "yes"}
	}
	note := fmt.Sprintf("limits of %s are not applied: %s", strings.Join(not, ", "), e.whyUnheld())
	if !e.grouped() {
		note += "; no service can be paused or left with less of anything"
	}
	return rehearse.Fact{Name: "engine.limits", Value: "no", Note: note}
}

// unlimited lists the resources for which a service has a limit that the engine does
// not hold it to.
func (e *engine) unlimited(s rehearse.Service) []string {
	asked := map[string]bool{"cpus": s.Limits.CPUs > 0, "memory": s.Limits.Memory > 0, "pids": s.Limits.PIDs > 0}
	if c := s.Container; c != nil {
		asked["cpus"] = asked["cpus"] || c.CPUQuota > 0
	}
	return slices.DeleteFunc(e.unheld(), func(name string) bool { return !asked[name] })
}

// tellUnlimited says of which of its limits a service is free.
func (e *environment) tellUnlimited(s rehearse.Service) {
	not := e.engine.unlimited(s)
	if len(not) == 0 {
		return
	}
	why := e.engine.whyUnheld()
	for _, name := range not {
		e.fact(rehearse.Fact{Name: "limits." + string(s.Name), Value: name + " not applied", Note: why})
	}
	fmt.Fprintf(e.spec.Log, "%s: its limits of %s are not applied: %s\n", s.Name, strings.Join(not, ", "), why)
}

// able says why a disruption cannot be done with this engine, where it is known.
func (e *engine) able(d rehearse.Disruption) error {
	needs := map[rehearse.DisruptionKind]string{rehearse.DisruptCPU: "cpus", rehearse.DisruptMemory: "memory"}[d.Kind]
	if d.Kind == rehearse.DisruptPause && e.grouped() || d.Kind != rehearse.DisruptPause && !slices.Contains(e.unheld(), needs) {
		return nil
	}
	return &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("this engine cannot do %q: %s", d.Kind, e.whyUnheld()),
		Hint: e.groupsHint(),
	}
}
