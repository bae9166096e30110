package evidence

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// redacted stands for a secret.
const redacted = redact.Mark

// Redact gives a copy of the plan without its secrets: the values of variables
// and headers whose names look secret, passwords in URLs, and values behind a
// secret-looking flag or key in commands and texts. A name that ends in "_FILE"
// names a file, not a secret, and keeps its value.
//
// It knows secrets by how they are called. A secret under an innocent name stays.
func Redact(p rehearse.Plan) rehearse.Plan { return new(redactor).plan(p) }

// redactor replaces secrets, and keeps those that it has met where found is there to
// take them.
type redactor struct{ found map[string]bool }

func (r *redactor) plan(p rehearse.Plan) rehearse.Plan {
	p.Services = mapped(p.Services, r.service)
	p.Steps = mapped(p.Steps, r.step)
	return p
}

// secret stands for a secret.
func (r *redactor) secret(value string) string {
	if r.found != nil && value != redacted {
		r.found[value] = true
	}
	return redacted
}

func (r *redactor) service(s rehearse.Service) rehearse.Service {
	s.Entrypoint = r.args(s.Entrypoint)
	s.Command = r.args(s.Command)
	s.Env = r.variables(s.Env)
	if s.Build != nil {
		b := *s.Build
		b.Args = r.variables(b.Args)
		b.Labels = r.variables(b.Labels)
		b.Inline = r.text(b.Inline)
		b.Context = r.text(b.Context)
		b.Contexts = r.variables(b.Contexts)
		b.CacheFrom = mapped(b.CacheFrom, r.text)
		s.Build = &b
	}
	if s.Container != nil {
		c := r.container(*s.Container)
		s.Container = &c
	}
	if s.Process != nil {
		p := *s.Process
		p.Build = r.args(p.Build)
		p.Command = r.args(p.Command)
		p.Env = r.variables(p.Env)
		s.Process = &p
	}
	s.Mounts = mapped(s.Mounts, func(m rehearse.Mount) rehearse.Mount {
		m.Content = r.text(m.Content)
		return m
	})
	s.Ready.Probes = mapped(s.Ready.Probes, func(p rehearse.Probe) rehearse.Probe {
		p.Command = r.args(p.Command)
		p.Shell = r.text(p.Shell)
		return p
	})
	return s
}

func (r *redactor) container(c rehearse.Container) rehearse.Container {
	c.Labels = r.variables(c.Labels)
	c.Annotations = r.variables(c.Annotations)
	for _, hooks := range []*[]rehearse.Hook{&c.PreStart, &c.PostStart, &c.PreStop} {
		*hooks = mapped(*hooks, func(h rehearse.Hook) rehearse.Hook {
			h.Command = r.args(h.Command)
			h.Env = r.variables(h.Env)
			return h
		})
	}
	return c
}

func (r *redactor) step(s rehearse.Step) rehearse.Step {
	if s.Suite != nil {
		suite := *s.Suite
		suite.Command = r.args(suite.Command)
		suite.Env = r.variables(suite.Env)
		s.Suite = &suite
	}
	if s.Load != nil {
		load := r.load(*s.Load)
		s.Load = &load
	}
	if s.Experiment != nil {
		e := *s.Experiment
		e.Load = r.load(e.Load)
		s.Experiment = &e
	}
	return s
}

func (r *redactor) load(load rehearse.LoadStep) rehearse.LoadStep {
	load.Traffic.Requests = mapped(load.Traffic.Requests, func(q rehearse.Request) rehearse.Request {
		q.Headers = r.variables(q.Headers)
		q.Path = r.text(q.Path)
		q.Body = r.text(q.Body)
		return q
	})
	lists := maps.Clone(load.Traffic.Lists)
	for name, values := range lists {
		if looksSecret(name) {
			values = mapped(values, r.secret)
		}
		lists[name] = mapped(values, r.text)
	}
	load.Traffic.Lists = lists
	return load
}

// mapped is a copy of the list with every item replaced; nil stays nil.
func mapped[T any](list []T, f func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = f(list[i])
	}
	return list
}

func (r *redactor) variables(m map[string]string) map[string]string {
	m = maps.Clone(m)
	for k, v := range m {
		if looksSecret(k) && v != "" {
			m[k] = r.secret(v)
		} else {
			m[k] = r.text(v)
		}
	}
	return m
}

// args also knows a flag whose value is the next argument.
func (r *redactor) args(args []string) []string {
	args = mapped(args, r.text)
	for i := 1; i < len(args); i++ {
		flag, isFlag := strings.CutPrefix(args[i-1], "-")
		if isFlag && !strings.ContainsAny(flag, "= ") && looksSecret(flag) && !strings.HasPrefix(args[i], "-") {
			args[i] = r.secret(args[i])
		}
	}
	return args
}

var (
	// The password is greedy up to the last "@" of the authority, as browsers
	// read it, because a password with a bare "@" in it is common.
	urlPassword = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:)([^\s/"']+)@`)
	// dsnPassword is Go's MySQL form, user:password@tcp(host:port).
	dsnPassword = regexp.MustCompile(`([\w.-]+:)([^\s"']+)@(?:tcp|unix)\(`)
	assignment  = regexp.MustCompile(`(?i)([a-z][a-z0-9_.-]*)("?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s"'&;,]+)`)
	bearer      = regexp.MustCompile(`(?i)\b(bearer|basic) +([a-z0-9+/=._~-]{8,})`)
)

// text replaces secrets within a text.
func (r *redactor) text(s string) string {
	s = r.replace(urlPassword, s)
	s = r.replace(dsnPassword, s)
	return r.assignments(r.replace(bearer, s))
}

// replace replaces the second group of each match.
func (r *redactor) replace(in *regexp.Regexp, s string) string {
	return in.ReplaceAllStringFunc(s, func(match string) string {
		at := in.FindStringSubmatchIndex(match)
		return match[:at[4]] + r.secret(match[at[4]:at[5]]) + match[at[5]:]
	})
}

func (r *redactor) assignments(s string) string {
	return assignment.ReplaceAllStringFunc(s, func(a string) string {
		m := assignment.FindStringSubmatch(a)
		name, sign, value := m[1], m[2], m[3]
		switch {
		case strings.Contains(value, redacted):
			return a
		case !looksSecret(name):
			// The value may hold assignments itself, as in url=http://host?token=x.
			return name + sign + r.assignments(value)
		case value[0] == '"' || value[0] == '\'':
			return name + sign + value[:1] + r.secret(value[1:len(value)-1]) + value[:1]
		}
		return name + sign + r.secret(value)
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
