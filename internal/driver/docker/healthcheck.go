package docker

import (
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

var _ driver.Checker = (*environment)(nil)

// Healthcheck is that of the service's image, unless the service has it off.
func (e *environment) Healthcheck(name rehearse.ServiceName) (rehearse.Probe, bool) {
	s, err := e.service(name)
	if err != nil || s.spec.Container != nil && s.spec.Container.NoHealthcheck {
		return rehearse.Probe{}, false
	}
	s.prepare.Lock()
	h := s.image.Config.Healthcheck
	s.prepare.Unlock()
	if h == nil || len(h.Test) < 2 {
		return rehearse.Probe{}, false
	}
	switch args := h.Test[1:]; h.Test[0] {
	case "CMD":
		return rehearse.Probe{Command: args}, true
	case "CMD-SHELL":
		return rehearse.Probe{Shell: strings.Join(args, " ")}, true
	}
	return rehearse.Probe{}, false
}
