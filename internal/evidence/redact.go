package evidence

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// redacted stands for a secret.
const redacted = "••••"

// Redact gives a copy of the plan without its secrets: the values of variables
// and headers whose names look secret, passwords in URLs, and values behind a
// secret-looking flag or key in commands and texts. A name that ends in "_FILE"
// names a file, not a secret, and keeps its value.
//
// It knows secrets by how they are called. A secret under an innocent name stays.
func Redact(p rehearse.Plan) rehearse.Plan {
	p.Services = mapped(p.Services, redactService)
	p.Steps = mapped(p.Steps, redactStep)
	return p
}

func redactService(s rehearse.Service) rehearse.Service {
	s.Entrypoint = redactArgs(s.Entrypoint)
	s.Command = redactArgs(s.Command)
	s.Env = redactMap(s.Env)
	if s.Build != nil {
		b := *s.Build
		b.Args = redactMap(b.Args)
		b.Labels = redactMap(b.Labels)
		b.Inline = redactText(b.Inline)
		b.Context = redactText(b.Context)
		b.Contexts = redactMap(b.Contexts)
		b.CacheFrom = mapped(b.CacheFrom, redactText)
		s.Build = &b
	}
	if s.Container != nil {
		c := redactContainer(*s.Container)
		s.Container = &c
	}
	if s.Process != nil {
		p := *s.Process
		p.Build = redactArgs(p.Build)
		p.Command = redactArgs(p.Command)
		p.Env = redactMap(p.Env)
		s.Process = &p
	}
	s.Mounts = mapped(s.Mounts, func(m rehearse.Mount) rehearse.Mount {
		m.Content = redactText(m.Content)
		return m
	})
	s.Ready.Probes = mapped(s.Ready.Probes, func(p rehearse.Probe) rehearse.Probe {
		p.Command = redactArgs(p.Command)
		p.Shell = redactText(p.Shell)
		return p
	})
	return s
}

func redactContainer(c rehearse.Container) rehearse.Container {
	c.Labels = redactMap(c.Labels)
	c.Annotations = redactMap(c.Annotations)
	for _, hooks := range []*[]rehearse.Hook{&c.PreStart, &c.PostStart, &c.PreStop} {
		*hooks = mapped(*hooks, func(h rehearse.Hook) rehearse.Hook {
			h.Command = redactArgs(h.Command)
			h.Env = redactMap(h.Env)
			return h
		})
	}
	return c
}

func redactStep(s rehearse.Step) rehearse.Step {
	if s.Suite != nil {
		suite := *s.Suite
		suite.Command = redactArgs(suite.Command)
		suite.Env = redactMap(suite.Env)
		s.Suite = &suite
	}
	if s.Load != nil {
		load := *s.Load
		load.Traffic.Requests = mapped(load.Traffic.Requests, func(r rehearse.Request) rehearse.Request {
			r.Headers = redactMap(r.Headers)
			r.Path = redactText(r.Path)
			r.Body = redactText(r.Body)
			return r
		})
		lists := maps.Clone(load.Traffic.Lists)
		for name, values := range lists {
			if looksSecret(name) {
				values = mapped(values, func(string) string { return redacted })
			}
			lists[name] = mapped(values, redactText)
		}
		load.Traffic.Lists = lists
		s.Load = &load
	}
	return s
}

// mapped is a copy of the list with every item replaced; nil stays nil.
func mapped[T any](list []T, f func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = f(list[i])
	}
	return list
}

func redactMap(m map[string]string) map[string]string {
	m = maps.Clone(m)
	for k, v := range m {
		if looksSecret(k) && v != "" {
			m[k] = redacted
		} else {
			m[k] = redactText(v)
		}
	}
	return m
}

// redactArgs also knows a flag whose value is the next argument.
func redactArgs(args []string) []string {
	args = mapped(args, redactText)
	for i := 1; i < len(args); i++ {
		flag, isFlag := strings.CutPrefix(args[i-1], "-")
		if isFlag && !strings.ContainsAny(flag, "= ") && looksSecret(flag) && !strings.HasPrefix(args[i], "-") {
			args[i] = redacted
		}
	}
	return args
}

var (
	// The password is greedy up to the last "@" of the authority, as browsers
	// read it, because a password with a bare "@" in it is common.
	urlPassword = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:)[^\s/"']+@`)
	// dsnPassword is Go's MySQL form, user:password@tcp(host:port).
	dsnPassword = regexp.MustCompile(`([\w.-]+:)[^\s"']+@(tcp|unix)\(`)
	assignment  = regexp.MustCompile(`(?i)([a-z][a-z0-9_.-]*)("?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s"'&;,]+)`)
	bearer      = regexp.MustCompile(`(?i)\b(bearer|basic) +[a-z0-9+/=._~-]{8,}`)
)

// redactText replaces secrets within a text.
func redactText(s string) string {
	s = urlPassword.ReplaceAllString(s, "${1}"+redacted+"@")
	s = dsnPassword.ReplaceAllString(s, "${1}"+redacted+"@${2}(")
	return redactAssignments(bearer.ReplaceAllString(s, "${1} "+redacted))
}

func redactAssignments(s string) string {
	return assignment.ReplaceAllStringFunc(s, func(a string) string {
		m := assignment.FindStringSubmatch(a)
		name, sign, value := m[1], m[2], m[3]
		switch {
		case strings.Contains(value, redacted):
			return a
		case !looksSecret(name):
			// The value may hold assignments itself, as in url=http://host?token=x.
			return name + sign + redactAssignments(value)
		case value[0] == '"' || value[0] == '\'':
			return name + sign + value[:1] + redacted + value[:1]
		}
		return name + sign + redacted
	})
}

var (
	// secretParts mark a name as secret wherever they stand, as in PGPASSWORD.
	secretParts = []string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "ACCESSKEY", "PRIVATEKEY", "REQUIREPASS", "AUTHORIZATION", "COOKIE"}
	// secretWords do so only as words: KEY is a secret, MONKEY and KEYSPACE are not.
	secretWords = []string{"KEY", "KEYS", "PASS", "PWD", "DSN", "PAT"}
	// plainNames are known to be no secrets.
	plainNames = []string{"PWD", "OLDPWD"}
)

// looksSecret reports whether a variable, header, flag or key of this name holds
// a secret.
func looksSecret(name string) bool {
	name = strings.ToUpper(strings.TrimLeft(name, "-"))
	if slices.Contains(plainNames, name) || strings.HasSuffix(name, "_FILE") {
		return false
	}
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' })
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) })
}
