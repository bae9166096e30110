package stand

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// withoutSecrets is an error whose text and hints hold no secret.
func withoutSecrets(err error, secrets *redact.Secrets) error {
	if err == nil {
		return nil
	}
	text, hint := err.Error(), strings.Join(rehearse.Hints(err), "\n")
	if !secrets.In([]byte(text + "\n" + hint)) {
		return err
	}
	return &rehearse.Error{Kind: rehearse.KindOf(err), Msg: secrets.String(text), Hint: secrets.String(hint)}
}

// eventWithout is an event that tells no secret.
func eventWithout(ev rehearse.ServiceEvent, secrets *redact.Secrets) rehearse.ServiceEvent {
	ev.Detail, ev.Reason = secrets.String(ev.Detail), secrets.String(ev.Reason)
	ev.LogTail = slices.Clone(ev.LogTail)
	for i := range ev.LogTail {
		ev.LogTail[i] = secrets.String(ev.LogTail[i])
	}
	return ev
}

// standingWithout is what can be learnt of an environment, without secrets.
func standingWithout(s Standing, secrets *redact.Secrets) Standing {
	s.Services, s.Facts = slices.Clone(s.Services), slices.Clone(s.Facts)
	for i := range s.Services {
		s.Services[i].Detail = secrets.String(s.Services[i].Detail)
	}
	for i := range s.Facts {
		s.Facts[i].Value, s.Facts[i].Note = secrets.String(s.Facts[i].Value), secrets.String(s.Facts[i].Note)
	}
	return s
}

// maxSecret is how much of a file is read to know it again: more than any key has.
const maxSecret = 64 << 10

// Secrets are the values that must not get out of a rehearsal of the plans: of this
// process's variables, of the project's env files, and of its secrets, wherever those
// are. Without a project they are those of the process. A file that cannot be read is left out; whoever needs it will say so.
func (h *Host) Secrets(p *Project, plans ...*rehearse.Plan) *redact.Secrets {
	env := h.Env
	if p != nil {
		env = slices.Concat(p.Variables(), h.Env)
	}
	var further []string
	file := func(path string) {
		if path != "" {
			further = append(further, beginning(path))
		}
	}
	variable := func(name string) {
		if name != "" {
			further = append(further, (&Host{Env: env}).Getenv(name))
		}
	}
	for _, plan := range plans {
		for _, s := range plan.Services {
			for _, m := range s.Mounts {
				if m.Type == "secret" {
					file(m.Source)
					variable(m.Env)
				}
			}
			if s.Build != nil {
				for _, secret := range s.Build.Secrets {
					file(secret.File)
					variable(secret.Env)
				}
			}
		}
	}
	return evidence.Secrets(plans, env, further...)
}

// beginning is the beginning of a file; empty when it cannot be read.
func beginning(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return ""
	}
	return string(data)
}
