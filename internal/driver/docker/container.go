package docker

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/rehearse-dev/rehearse"
)

// container is what the engine is asked for, for one instance of a service.
func (e *environment) container(s *service, i *instance, m mounts) (client.ContainerCreateOptions, error) {
	c := s.spec.Container
	if c == nil {
		c = &rehearse.Container{}
	}
	config := &container.Config{
		Image:    s.image.ID,
		Hostname: cmp.Or(s.spec.Hostname, i.hostname(s)), Domainname: c.Domainname,
		User: s.spec.User, WorkingDir: s.spec.WorkingDir,
		Entrypoint: s.spec.Entrypoint, Cmd: s.spec.Command,
		Env:    environ(s.spec.Env),
		Labels: e.labels(s.spec.Name, c.Labels),
		Tty:    c.TTY, OpenStdin: c.StdinOpen,
		AttachStdout: true, AttachStderr: true,
		StopSignal: s.spec.StopSignal,
		// We ask ourselves, sooner than the engine would.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	host := &container.HostConfig{
		Init: c.Init, Privileged: c.Privileged, ReadonlyRootfs: c.ReadOnly,
		CapAdd: c.CapAdd, CapDrop: c.CapDrop, GroupAdd: c.GroupAdd, SecurityOpt: c.SecurityOpt,
		OomScoreAdj: c.OOMScoreAdj, ShmSize: c.ShmSize, Runtime: c.Runtime, Annotations: c.Annotations,
		DNSSearch: c.DNSSearch, DNSOptions: c.DNSOptions,
		CgroupnsMode: container.CgroupnsMode(c.Cgroup), UTSMode: container.UTSMode(c.UTS), UsernsMode: container.UsernsMode(c.UserNS),
		Mounts: m.list, Tmpfs: m.tmpfs, VolumesFrom: m.from,
		Resources: e.resources(s.spec, c),
		// Enough for who asks the engine itself; ours is whole.
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m"}},
	}
	var err error
	if host.IpcMode, err = mode[container.IpcMode](e, c.IPC); err != nil {
		return client.ContainerCreateOptions{}, err
	}
	if host.PidMode, err = mode[container.PidMode](e, c.PID); err != nil {
		return client.ContainerCreateOptions{}, err
	}
	q := client.ContainerCreateOptions{Name: i.name, Config: config, HostConfig: host, Platform: platform(c.Platform)}
	return q, e.attach(&q, s, i, c)
}

// hostname is what an instance calls itself where the service does not say: no two
// of a service's are the same, as what forms a cluster wants it.
func (i *instance) hostname(s *service) string {
	if replicas(s.spec) == 1 {
		return string(s.spec.Name)
	}
	return fmt.Sprintf("%s-%d", s.spec.Name, i.number)
}

// mode is a namespace mode, in which "service:NAME" stands for a container of ours.
func mode[T ~string](e *environment, of string) (T, error) {
	name, ok := cutService(of)
	if !ok {
		return T(of), nil
	}
	other, err := e.firstInstance(name)
	return T("container:" + other), err
}

// firstInstance is the container of a service that another one joins.
func (e *environment) firstInstance(name rehearse.ServiceName) (string, error) {
	s, err := e.service(name)
	if err != nil {
		return "", err
	}
	s.prepare.Lock()
	defer s.prepare.Unlock()
	if len(s.instances) == 0 {
		return "", fmt.Errorf("the service %s, whose namespace it joins, has no container yet", name)
	}
	return s.instances[0].id, nil
}

// attach gives an instance its network and its names.
func (e *environment) attach(q *client.ContainerCreateOptions, s *service, i *instance, c *rehearse.Container) error {
	switch {
	case c.Network == "none":
		q.HostConfig.NetworkMode = "none"
		return nil
	case strings.HasPrefix(c.Network, "service:"):
		mode, err := mode[container.NetworkMode](e, c.Network)
		// The other's name, hosts and addresses are its own now.
		q.Config.Hostname, q.Config.Domainname = "", ""
		q.HostConfig.NetworkMode, q.HostConfig.Sysctls = mode, c.Sysctls
		if err != nil {
			return err
		}
		return e.resolver(q, s, c)
	}
	if err := e.resolver(q, s, c); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(s.addresses) < i.number {
		at, err := e.addresses.instance()
		if err != nil {
			return err
		}
		s.addresses = append(s.addresses, at)
		e.at[at] = string(s.spec.Name)
	}
	at := s.addresses[i.number-1]
	i.address = at
	q.HostConfig.NetworkMode = container.NetworkMode(e.name(""))
	q.HostConfig.DNS = []netip.Addr{e.addresses.gateway}
	if own := string(s.spec.Name); q.Config.Hostname != own { // else the engine does
		q.HostConfig.ExtraHosts = append(q.HostConfig.ExtraHosts, own+":"+at.String())
	}
	for _, h := range e.hosts[s.spec.Name] {
		for _, name := range h.names {
			q.HostConfig.ExtraHosts = append(q.HostConfig.ExtraHosts, name+":"+h.address.String())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.ExtraHosts)) {
		for _, to := range c.ExtraHosts[name] {
			if to != "host-gateway" { // the host cannot be reached
				q.HostConfig.ExtraHosts = append(q.HostConfig.ExtraHosts, name+":"+to)
			}
		}
	}
	q.HostConfig.Sysctls = maps.Clone(c.Sysctls)
	if q.HostConfig.Sysctls == nil {
		q.HostConfig.Sysctls = map[string]string{}
	}
	// It answers nobody's question who has its address: only the link container,
	// which need not ask, comes through.
	q.HostConfig.Sysctls["net.ipv4.conf.all.arp_ignore"] = "8"
	// Nor does it learn an address from who tells it unasked. Engines from 28 on do so
	// for each container, three times within its first two seconds: two that started
	// together and called each other meanwhile would have found a way.
	q.HostConfig.Sysctls["net.ipv4.conf.all.drop_gratuitous_arp"] = "1"
	q.NetworkingConfig = e.attachedAt(at)
	if c.MACAddress != "" {
		if err := setMAC(q.NetworkingConfig.EndpointsConfig[e.name("")], c.MACAddress); err != nil {
			return err
		}
	}
	return nil
}

// resolver has the link container asked for names, and not the engine's own name
// server, which would say where the others really are.
func (e *environment) resolver(q *client.ContainerCreateOptions, s *service, c *rehearse.Container) error {
	const at = "/etc/resolv.conf"
	if !e.engine.local || slices.ContainsFunc(q.HostConfig.Mounts, func(m mount.Mount) bool { return m.Target == at }) {
		return nil
	}
	// Where the gateway is, nobody answers before the link container knows all: who
	// has started before it asks again, and is not told that nobody listens.
	text := fmt.Sprintf("nameserver %s\n", e.addresses.gateway)
	if len(c.DNSSearch) > 0 {
		text += "search " + strings.Join(c.DNSSearch, " ") + "\n"
	}
	if len(c.DNSOptions) > 0 {
		text += "options " + strings.Join(c.DNSOptions, " ") + "\n"
	}
	file := filepath.Join(e.spec.Dir, "files", string(s.spec.Name), "resolv.conf")
	if err := e.writeContent(file, content{target: at, data: []byte(text), uid: os.Getuid(), gid: os.Getgid(), mode: 0o644}); err != nil {
		return fmt.Errorf("write %s of service %q: %w", at, s.spec.Name, err)
	}
	q.HostConfig.Mounts = append(slices.Clone(q.HostConfig.Mounts), mount.Mount{Type: mount.TypeBind, Source: file, Target: at, ReadOnly: true})
	return nil
}

func setMAC(at *network.EndpointSettings, text string) error {
	if err := at.MacAddress.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("mac_address %q: %w", text, err)
	}
	return nil
}

// names are what a client's DNS answers.
func (e *environment) names(client rehearse.ServiceName) map[string]netip.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]netip.Addr{}
	for _, h := range e.hosts[client] {
		for _, name := range h.names {
			out[name] = h.address
		}
	}
	return out
}

func (e *environment) resources(s rehearse.Service, c *rehearse.Container) container.Resources {
	r := container.Resources{
		NanoCPUs: int64(s.Limits.CPUs * 1e9), Memory: s.Limits.Memory,
		MemoryReservation: c.MemoryReservation, MemorySwap: c.MemorySwap, MemorySwappiness: c.MemorySwappiness,
		CPUShares: c.CPUShares, CPUQuota: c.CPUQuota, CPUPeriod: c.CPUPeriod, CpusetCpus: c.CPUSet,
		BlkioWeight: c.BlkioWeight, CgroupParent: c.CgroupParent, DeviceCgroupRules: c.DeviceRules,
	}
	if s.Limits.PIDs > 0 {
		r.PidsLimit = &s.Limits.PIDs
	}
	if c.OOMKillDisable {
		r.OomKillDisable = &c.OOMKillDisable
	}
	for _, u := range c.Ulimits {
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	for _, d := range c.Devices {
		r.Devices = append(r.Devices, container.DeviceMapping{PathOnHost: d.Source, PathInContainer: d.Target, CgroupPermissions: d.Permissions})
	}
	return r
}

// environ is an environment in the form of os.Environ, sorted.
func environ(env map[string]string) []string {
	out := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

// cutService reads "service:NAME".
func cutService(mode string) (name rehearse.ServiceName, ok bool) {
	text, ok := strings.CutPrefix(mode, "service:")
	return rehearse.ServiceName(text), ok
}

// platform reads "linux/arm64/v8".
func platform(text string) *ocispec.Platform {
	if text == "" {
		return nil
	}
	parts := strings.SplitN(text, "/", 3)
	p := &ocispec.Platform{OS: parts[0]}
	if len(parts) > 1 {
		p.Architecture = parts[1]
	}
	if len(parts) > 2 {
		p.Variant = parts[2]
	}
	return p
}
