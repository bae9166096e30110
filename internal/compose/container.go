package compose

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// containers reports whether services run in containers.
func (m *mapper) containers() bool { return m.driver == "docker" }

// container maps what only a container engine can do.
func (m *mapper) container(s types.ServiceConfig) *rehearse.Container {
	if !m.containers() {
		return nil
	}
	c := &rehearse.Container{
		Platform:   s.Platform,
		PullPolicy: pullPolicy(s),
		Runtime:    s.Runtime,

		Privileged:     s.Privileged,
		ReadOnly:       s.ReadOnly,
		Init:           s.Init,
		TTY:            s.Tty,
		StdinOpen:      s.StdinOpen,
		CapAdd:         s.CapAdd,
		CapDrop:        s.CapDrop,
		GroupAdd:       s.GroupAdd,
		SecurityOpt:    m.securityOptions(s),
		Devices:        devices(s.Devices),
		DeviceRules:    s.DeviceCgroupRules,
		OOMKillDisable: s.OomKillDisable,
		OOMScoreAdj:    int(s.OomScoreAdj),

		IPC:          ofProject(s.Ipc),
		PID:          ofProject(s.Pid),
		UTS:          ofProject(s.Uts),
		UserNS:       s.UserNSMode,
		Cgroup:       s.Cgroup,
		CgroupParent: s.CgroupParent,

		Domainname: s.DomainName,
		MACAddress: macAddress(s),
		DNSSearch:  s.DNSSearch,
		DNSOptions: s.DNSOpts,
		ExtraHosts: s.ExtraHosts,
		Sysctls:    s.Sysctls,
		Ulimits:    ulimits(s.Ulimits),

		ShmSize:           int64(s.ShmSize),
		MemoryReservation: int64(s.MemReservation),
		MemorySwap:        int64(s.MemSwapLimit),
		CPUShares:         s.CPUShares,
		CPUQuota:          s.CPUQuota,
		CPUPeriod:         s.CPUPeriod,
		CPUSet:            s.CPUSet,

		Labels:      s.Labels,
		Annotations: s.Annotations,
		PreStart:    preStart(s),
		PostStart:   hooks(s.PostStart),
		PreStop:     hooks(s.PreStop),
	}
	if joinsNetworkOf(s) {
		c.Network = s.NetworkMode
	}
	if n := s.GetScale(); n > 1 {
		c.Replicas = n
	}
	if s.MemSwappiness != 0 {
		percent := int64(s.MemSwappiness)
		c.MemorySwappiness = &percent
	}
	if s.BlkioConfig != nil {
		c.BlkioWeight = s.BlkioConfig.Weight
	}
	if s.Deploy != nil && s.Deploy.Resources.Reservations != nil && s.Deploy.Resources.Reservations.MemoryBytes > 0 {
		c.MemoryReservation = int64(s.Deploy.Resources.Reservations.MemoryBytes)
	}
	for _, from := range s.VolumesFrom {
		if !strings.HasPrefix(from, types.ContainerPrefix) {
			c.VolumesFrom = append(c.VolumesFrom, from)
		}
	}
	c.NoHealthcheck = withoutHealthcheck(s.HealthCheck)
	return c
}

// joinsNetworkOf reports whether a service is in no network, or in that of
// another service: then it has no links of its own.
func joinsNetworkOf(s types.ServiceConfig) bool {
	return s.NetworkMode == "none" || strings.HasPrefix(s.NetworkMode, types.ServicePrefix)
}

// pullPolicy is the policy in the words of [rehearse.Container]. Those that ask
// how old an image is pull what is missing.
func pullPolicy(s types.ServiceConfig) string {
	switch s.PullPolicy {
	case types.PullPolicyAlways, types.PullPolicyNever, types.PullPolicyBuild:
		return s.PullPolicy
	}
	return ""
}

// ofProject leaves out a namespace of a container outside of the project.
func ofProject(mode string) string {
	if strings.HasPrefix(mode, types.ContainerPrefix) {
		return ""
	}
	return mode
}

// macAddress is the service's, else the first that a network gives it.
func macAddress(s types.ServiceConfig) string {
	if s.MacAddress != "" {
		return s.MacAddress
	}
	for _, name := range s.NetworksByPriority() {
		if n := s.Networks[name]; n != nil && n.MacAddress != "" {
			return n.MacAddress
		}
	}
	return ""
}

func devices(all []types.DeviceMapping) []rehearse.Device {
	var out []rehearse.Device
	for _, d := range all {
		out = append(out, rehearse.Device{Source: d.Source, Target: d.Target, Permissions: d.Permissions})
	}
	return out
}

func ulimits(all map[string]*types.UlimitsConfig) []rehearse.Ulimit {
	var out []rehearse.Ulimit
	for _, name := range slices.Sorted(maps.Keys(all)) {
		u := all[name]
		if u == nil {
			continue
		}
		soft, hard := int64(u.Soft), int64(u.Hard)
		if u.Single != 0 {
			soft, hard = int64(u.Single), int64(u.Single)
		}
		out = append(out, rehearse.Ulimit{Name: name, Soft: soft, Hard: hard})
	}
	return out
}

func hooks(all []types.ServiceHook) []rehearse.Hook {
	var out []rehearse.Hook
	for _, h := range all {
		out = append(out, rehearse.Hook{
			Command: h.Command, User: h.User, Privileged: h.Privileged, WorkingDir: h.WorkingDir, Env: environment(h.Environment),
		})
	}
	return out
}

// preStart maps hooks that run in containers of their own. compose-go has
// completed them with what the service says.
func preStart(s types.ServiceConfig) []rehearse.Hook {
	var out []rehearse.Hook
	for _, h := range s.PreStart {
		hook := rehearse.Hook{
			Command: h.Command, User: h.User, Privileged: h.Privileged, WorkingDir: h.WorkingDir, Env: environment(h.Environment),
		}
		if h.Image != s.Image {
			hook.Image = h.Image
		}
		out = append(out, hook)
	}
	return out
}

// withoutHealthcheck reports whether the file switches the image's own
// healthcheck off.
func withoutHealthcheck(h *types.HealthCheckConfig) bool {
	return h != nil && (h.Disable || len(h.Test) > 0 && h.Test[0] == "NONE")
}

// securityOptions are the options in the engine's form: a seccomp profile that a
// file holds is put in the place of the file's name.
func (m *mapper) securityOptions(s types.ServiceConfig) []string {
	var out []string
	for _, o := range s.SecurityOpt {
		if o == "systempaths=unconfined" {
			// It is the docker command's own and no option of the engine's.
			m.note(s.Name, "security_opt", "The option systempaths=unconfined is left out: the engine hides what it always does.")
			continue
		}
		name, value, ok := strings.Cut(o, "=")
		if !ok {
			name, value, _ = strings.Cut(o, ":")
		}
		if name == "seccomp" && value != "unconfined" && value != "builtin" {
			profile, err := compact(inDir(m.src.dir, value))
			if err != nil {
				m.problem(s.Name, "security_opt", value, "service "+s.Name+": the seccomp profile "+value+" cannot be read", "Give the path of a JSON file, relative to the Compose file.", err)
				continue
			}
			o = "seccomp=" + profile
		}
		out = append(out, o)
	}
	return out
}

// compact reads a file of JSON without its spaces.
func compact(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return "", err
	}
	return b.String(), nil
}
