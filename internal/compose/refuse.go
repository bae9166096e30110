package compose

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// sockets are where container engines listen, in their default installations.
var sockets = []string{
	"/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
	"/run/crio/crio.sock", "/run/buildkit/buildkitd.sock",
}

// reachesEngine reports whether a bind mount gives a service the engine's socket:
// itself, or a directory above it, by whatever name.
func reachesEngine(v types.ServiceVolumeConfig) bool {
	if v.Type != types.VolumeTypeBind {
		return false
	}
	source := filepath.Clean(v.Source)
	if real, err := filepath.EvalSymlinks(source); err == nil {
		source = real
	}
	// A user's own engine listens in the user's own directory.
	if source == "/run/user" || filepath.Dir(source) == "/run/user" {
		return true
	}
	return slices.ContainsFunc(sockets, func(s string) bool {
		return filepath.Base(source) == filepath.Base(s) || source == "/" || strings.HasPrefix(s, source+"/")
	})
}

// refuse reports a key that is refused, and the value that is where it is only
// that.
func (m *mapper) refuse(service, key, value, why string) {
	msg := "service " + service + ": " + key + " is refused"
	if value != "" {
		msg = "service " + service + ": the mount of " + value + " is refused"
	}
	m.problem(service, key, value, msg, why+" Leave the service out, by a profile of its own or in an override file.", nil)
}

// problem reports what is wrong with a key of a service, and finds its line.
func (m *mapper) problem(service, key, value, msg, hint string, err error) {
	e := &rehearse.Error{Kind: rehearse.Invalid, Msg: msg, Hint: hint, Err: err, File: m.src.show(m.src.files[0])}
	for _, file := range slices.Backward(m.src.files) {
		if line := lineOfValue(file, []string{"services", service, key}, value); line > 0 {
			e.File, e.Line = m.src.show(file), line
			break
		}
	}
	m.problems = append(m.problems, e)
}

// lineOfValue finds the line of a key by its whole path, or that of the value
// inside of it; 0 when the file does not have the key.
func lineOfValue(file string, path []string, value string) int {
	lines, line := readLines(file), 0
	for _, key := range path {
		n := findKey(lines, line, key)
		if n == 0 {
			return 0
		}
		line = n
	}
	if value == "" {
		return line
	}
	for i, text := range lines[line-1:] {
		if i > 0 && strings.TrimSpace(text) != "" && indent(text) < indent(lines[line-1]) {
			break
		}
		if strings.Contains(text, value) {
			return line + i
		}
	}
	return line
}
