package evidence

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// Secrets are the values that must not get out of a rehearsal: what [Redact] takes
// out of its plans, what variables of env ("NAME=value") hold that are called like a
// secret or hold a password in a URL, and further values, as of secrets in files.
//
// What the plans also say in the open is no secret, as a password that is the name
// of the database: taken out by value, it would take the name with it. Nor are the
// words that everybody tries first.
func Secrets(plans []*rehearse.Plan, env []string, further ...string) *redact.Secrets {
	r := &redactor{found: map[string]bool{}}
	for _, v := range further {
		r.found[v] = true
	}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if looksSecret(name) {
			r.found[value] = true
		} else {
			r.replace(urlPassword, value)
		}
	}
	for _, p := range plans {
		r.plan(*p)
	}
	known := open(plans)
	var values []string
	for v := range r.found {
		for _, v := range within(v) {
			secret := strings.TrimSpace(v)
			if !slices.Contains(tried, strings.ToLower(secret)) && !slices.ContainsFunc(known, func(text string) bool { return strings.Contains(text, secret) }) {
				values = append(values, secret)
			}
		}
	}
	return redact.New(values)
}

// tried are the words that everybody tries first.
var tried = []string{
	"password", "secret", "changeme", "change-me", "example", "default", "disabled", "enabled", "postgres", "mariadb", "localhost", "required",
}

// within is a value, and what in it is a secret by itself.
func within(value string) []string {
	out := []string{value}
	if plain, err := url.PathUnescape(value); err == nil && plain != value {
		out = append(out, plain)
	}
	scheme, token, ok := strings.Cut(value, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "basic") {
		return out
	}
	out = append(out, token)
	if plain, err := base64.StdEncoding.DecodeString(token); err == nil && strings.EqualFold(scheme, "basic") {
		_, password, _ := strings.Cut(string(plain), ":")
		out = append(out, password)
	}
	return out
}

// open are the texts that plans say in the open, and that evidence cannot be read
// without.
func open(plans []*rehearse.Plan) []string {
	var out []string
	for _, p := range plans {
		out = append(out, p.Project, p.Dir, p.Driver, p.Leg.Name)
		out = append(out, p.Files...)
		out = append(out, p.Volumes...)
		for _, s := range p.Services {
			out = append(out, string(s.Name), s.Image, string(s.Region), s.User, s.Hostname, s.Recipe)
			out = append(out, slices.Concat(s.Aliases, s.Networks)...)
			for name, value := range s.Env {
				if names(name) && plainName.MatchString(value) {
					out = append(out, value)
				}
			}
		}
		for _, l := range p.Links {
			out = append(out, string(l.ID))
		}
		for _, s := range p.Steps {
			out = append(out, s.Name())
		}
	}
	return slices.DeleteFunc(out, func(text string) bool { return len(text) < redact.Shortest })
}

// plainName leaves out what holds more than a name, as a URL with a password.
var plainName = regexp.MustCompile(`^[\w.-]+$`)

// names reports whether a variable of this name holds the name of something.
func names(variable string) bool {
	variable = strings.ToUpper(variable)
	return slices.ContainsFunc([]string{"USER", "USERNAME", "DB", "DATABASE", "NAME", "HOST"}, func(end string) bool {
		return variable == end || strings.HasSuffix(variable, "_"+end)
	})
}
