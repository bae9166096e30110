package memory

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// command finds a service's program and works out how to call it.
func (e *environment) command(s *service) (*command, error) {
	name, args := s.spec.Image, slices.Concat(s.spec.Entrypoint, s.spec.Command)
	env := maps.Clone(s.spec.Env)
	if env == nil {
		env = map[string]string{}
	}
	if p := s.spec.Process; p != nil && len(p.Command) > 0 {
		name, args = p.Command[0], slices.Clone(p.Command[1:])
		for i, a := range args {
			var err error
			if args[i], err = e.interpolate(s, a); err != nil {
				return nil, err
			}
		}
		for k, v := range p.Env {
			var err error
			if env[k], err = e.interpolate(s, v); err != nil {
				return nil, err
			}
		}
	}
	f, ok := e.driver.programs[name]
	if !ok {
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q: there is no program %q", s.spec.Name, name),
			Hint: "Give it to memory.New.",
		}
	}
	return &command{program: f, args: args, env: env}, nil
}

var reference = regexp.MustCompile(`\$\{([a-zA-Z0-9_.-]+)\}`)

// interpolate replaces what [rehearse.Process] allows in a command and its
// environment, and reports every reference that means nothing.
func (e *environment) interpolate(s *service, text string) (string, error) {
	var unknown []string
	text = reference.ReplaceAllStringFunc(text, func(ref string) string {
		subject, what, _ := strings.Cut(ref[2:len(ref)-1], ".")
		host, port, ok := subject, 0, false
		switch {
		case subject == "out" && what == "" && len(s.spec.Process.Build) > 0:
			return e.spec.Dir
		case subject == "listen" && len(s.spec.Ports) > 0:
			host, port, ok = anywhere, s.spec.Ports[0].Number, true
		default:
			port, ok = s.network.port(subject)
		}
		switch {
		case ok && what == "host":
			return host
		case ok && what == "port":
			return strconv.Itoa(port)
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
