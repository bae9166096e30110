package docker

import "time"

// SetLimits has an engine waited for less long by who ends environments.
func (d *Driver) SetLimits(close, request, reaper time.Duration) {
	d.limits = limits{close: close, request: request, reaper: reaper}
}
