package process

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// launch is everything that a start of a service needs, made once by Prepare.
type launch struct {
	service  rehearse.Service
	args     []string
	env      []string
	dir      string
	mounts   []jailMount
	files    map[string]string
	uid, gid int
	template bool // the data directory starts as a clone of a golden one
}

// The user that services are, as they see themselves, unless Compose says.
const ordinaryUser = 1000

// jail is the file system of a launch.
func (e *environment) jail(l *launch, q jailRequest) jailSpec {
	s := l.service
	hostname := s.Hostname
	if hostname == "" {
		hostname = string(s.Name)
	}
	spec := jailSpec{
		Name: q.name, Hostname: hostname, Plain: e.tier != TierNamespaces,
		UID: l.uid, GID: l.gid, HostUID: plainUID(), HostGID: plainUID(),
		Files: l.files,
	}
	if spec.Plain {
		return spec
	}
	spec.Mounts = slices.Concat(e.hostMounts(), l.mounts)
	if q.data != nil {
		spec.Mounts = append(spec.Mounts, dataMount(q.data))
	}
	spec.Fresh = q.fresh
	own := []string{hostname}
	if hostname != string(s.Name) {
		own = append(own, string(s.Name))
	}
	spec.EtcFiles = map[string]string{
		"hosts":       e.hostsFile(s.Name, own),
		"hostname":    hostname + "\n",
		"resolv.conf": "# Names come from /etc/hosts: there is no way out but the links.\n",
		"passwd":      fmt.Sprintf("root:x:0:0:root:/:/bin/sh\napp:x:%d:%d:service:%s:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", l.uid, l.gid, jailHome),
		"group":       fmt.Sprintf("root:x:0:\napp:x:%d:\nnogroup:x:65534:\n", l.gid),
	}
	if e.spec.Authority != nil {
		spec.Files = maps.Clone(l.files)
		if spec.Files == nil {
			spec.Files = map[string]string{}
		}
		spec.Files[e.authorityPath()] = string(e.spec.Authority)
	}
	if l.uid == 0 {
		spec.EtcFiles["passwd"] = "root:x:0:0:root:" + jailHome + ":/bin/sh\n"
		spec.EtcFiles["group"] = "root:x:0:\n"
	}
	return spec
}

// authorityFile is the certificate of the links that end TLS.
const authorityFile = "rehearse-ca.pem"

// authorityPath is where a service finds that certificate.
func (e *environment) authorityPath() string {
	if e.tier != TierNamespaces {
		return filepath.Join(e.spec.Dir, authorityFile)
	}
	return jailRun + "/" + authorityFile
}

// plainUID is whom services run as where no user namespace maps them: nobody
// when we are root, else ourselves.
func plainUID() int {
	if os.Getuid() == 0 {
		return 65534
	}
	return 0
}

// hostMounts are the parts of the host that services need beyond its system
// directories, and what nothing that a pull request brings should see.
func (e *environment) hostMounts() []jailMount {
	var m []jailMount
	// Toolchains live in home directories. Root's home is closed to the
	// unprivileged user that services run as then.
	if home := e.o.Home; home != "" && home != "/" && os.Getuid() != 0 {
		m = append(m, jailMount{Kind: "bind", Source: home, Target: home, ReadOnly: true})
	}
	// Our own directories hold other services' secrets and data, and other
	// environments' control sockets.
	for _, path := range append(secretPlaces(e.o.Home), e.o.State, e.o.Cache, e.spec.Dir) {
		if path == "" {
			continue
		}
		m = append(m, jailMount{Kind: "hide", Target: path})
		if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
			m = append(m, jailMount{Kind: "hide", Target: real})
		}
	}
	return append(m, jailMount{Kind: "cow", Source: e.spec.Plan.Dir, Target: e.spec.Plan.Dir})
}

// secretPlaces are where people and systems keep secrets.
func secretPlaces(home string) []string {
	out := []string{"/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/ssl/private", "/var/lib/docker"}
	for _, name := range []string{
		".ssh", ".aws", ".azure", ".kube", ".docker", ".gnupg", ".netrc", ".npmrc", ".pypirc", ".pgpass", ".git-credentials",
		".config/gcloud", ".config/gh", ".config/git/credentials", ".cargo/credentials.toml", ".local/share/keyrings", ".local/state/rehearse",
	} {
		out = append(out, filepath.Join(home, name))
	}
	return out
}

// serviceEnv is a service's environment: what Compose says, what rehearse.yaml
// adds, and the few variables that every container has.
func (e *environment) serviceEnv(s rehearse.Service, home string, uid int, more ...map[string]string) []string {
	env := map[string]string{"PATH": lookupEnv(e.o.Env, "PATH"), "HOME": home, "HOSTNAME": string(s.Name), "LANG": "C.UTF-8"}
	if env["PATH"] == "" {
		env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	}
	env["USER"] = "app"
	if uid == 0 {
		env["USER"] = "root"
	}
	if e.spec.Authority != nil {
		// What OpenSSL and Go, curl, Python's requests and Node read.
		for _, k := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
			env[k] = e.authorityPath()
		}
	}
	for k, v := range s.Env {
		env[k] = e.rewriteHosts(s.Name, v)
	}
	for _, m := range more {
		maps.Copy(env, m)
	}
	for _, label := range e.labels() {
		k, v, _ := strings.Cut(label, "=")
		env[k] = v
	}
	out := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

// composeMounts turns a service's Compose mounts into the jail's. Targets that
// the caller provides for itself are left out.
func composeMounts(s rehearse.Service, lookup func(string) string, skip func(target string) bool) (mounts []jailMount, files map[string]string, err error) {
	files = map[string]string{}
	for i, m := range s.Mounts {
		if skip(m.Target) {
			continue
		}
		content, inline := m.Content, m.Content != ""
		if m.Env != "" {
			content, inline = lookup(m.Env), true
		}
		switch {
		case inline:
			// Private to the service, then bound to where it belongs.
			path := fmt.Sprintf("%s/mounts/%d", jailRun, i)
			files[path] = content
			mounts = append(mounts, jailMount{Kind: "file", Source: path, Target: m.Target, ReadOnly: true})
		case m.Type == "volume":
			name := m.Source
			if name == "" { // an anonymous volume: the service's alone
				name = fmt.Sprintf("%s.%d", s.Name, i)
			}
			mounts = append(mounts, jailMount{Kind: "volume", Keep: name, Target: m.Target, ReadOnly: m.ReadOnly})
		case m.Type == "tmpfs":
			mounts = append(mounts, jailMount{Kind: "tmpfs", Target: m.Target})
		default:
			if _, err := os.Stat(m.Source); err != nil {
				return nil, nil, &rehearse.Error{
					Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q mounts %s, which does not exist", s.Name, m.Source), Err: nil,
					Hint: "Create it, or correct the volume in the Compose file.",
				}
			}
			mounts = append(mounts, jailMount{Kind: "bind", Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
		}
	}
	return mounts, files, nil
}

var reference = regexp.MustCompile(`\$\{([a-zA-Z0-9_.-]+)\}`)

// interpolate replaces ${out}, ${listen.host}, ${listen.port}, ${NAME.host} and
// ${NAME.port}. It reports every reference that means nothing.
func (e *environment) interpolate(s *service, out, text string) (string, error) {
	var unknown []string
	text = reference.ReplaceAllStringFunc(text, func(ref string) string {
		name := ref[2 : len(ref)-1]
		if name == "out" && out != "" {
			return out
		}
		subject, what, _ := strings.Cut(name, ".")
		if subject == "listen" && len(s.spec.Ports) > 0 {
			host, port := e.listenAddress(s, s.spec.Ports[0].Number)
			switch what {
			case "host":
				return host
			case "port":
				return strconv.Itoa(port)
			}
		}
		if host, port, ok := e.upstream(s.spec.Name, subject); ok {
			switch what {
			case "host":
				return host
			case "port":
				return strconv.Itoa(port)
			}
		}
		unknown = append(unknown, ref)
		return ref
	})
	if len(unknown) > 0 {
		return "", &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q: %s means nothing here", s.spec.Name, strings.Join(unknown, ", ")),
			Hint: "Known are ${out}, ${listen.host}, ${listen.port}, and ${NAME.host} and ${NAME.port} of a service that this one can reach.",
		}
	}
	return text, nil
}

// listenAddress is where a service must listen for the port that others know.
func (e *environment) listenAddress(s *service, port int) (string, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch e.tier {
	case TierNamespaces:
		return "0.0.0.0", port
	case TierAddresses:
		return e.iso.address(0, s.number), port
	}
	real, ok := s.ports[port]
	if !ok {
		real = freePort()
		s.ports[port] = real
	}
	return "127.0.0.1", real
}

// upstream is how a client reaches another service: by name where names can be
// given, else by address.
func (e *environment) upstream(client rehearse.ServiceName, name string) (host string, port int, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.clients[client].upstreams {
		if !slices.Contains(u.names, name) || len(u.ports) == 0 {
			continue
		}
		if e.tier == TierNamespaces {
			return name, u.ports[0].real, true
		}
		return u.host, u.ports[0].real, true
	}
	return "", 0, false
}

// rewriteHosts puts addresses in the place of Compose names, in the tiers that
// cannot make the names resolve. A name counts as one where it stands as a host:
// alone, or before a port or path, after "//" or "@" or a comma.
func (e *environment) rewriteHosts(client rehearse.ServiceName, value string) string {
	if e.tier == TierNamespaces {
		return value
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.clients[client].upstreams {
		for _, name := range u.names {
			pattern := regexp.MustCompile(`(^|//|@|,)` + regexp.QuoteMeta(name) + `(:(\d+))?($|[/,?])`)
			replace := func(hit string) string {
				m := pattern.FindStringSubmatch(hit)
				port := m[2]
				for _, p := range u.ports {
					if m[3] == strconv.Itoa(p.asked) {
						port = ":" + strconv.Itoa(p.real)
					}
				}
				return m[1] + u.host + port + m[4]
			}
			// Twice, because a comma that ends one name begins the next.
			value = pattern.ReplaceAllStringFunc(pattern.ReplaceAllStringFunc(value, replace), replace)
		}
	}
	return value
}
