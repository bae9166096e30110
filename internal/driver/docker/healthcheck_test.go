package docker

import (
	"reflect"
	"testing"

	"github.com/moby/moby/api/types/container"

	"github.com/rehearse-dev/rehearse"
)

func TestHealthcheck(t *testing.T) {
	for _, c := range []struct {
		test   []string
		spec   rehearse.Container
		want   rehearse.Probe
		wantOK bool
	}{
		{test: []string{"CMD", "check", "-a"}, want: rehearse.Probe{Command: []string{"check", "-a"}}, wantOK: true},
		{test: []string{"CMD-SHELL", "check -a"}, want: rehearse.Probe{Shell: "check -a"}, wantOK: true},
		{test: []string{"CMD", "check"}, spec: rehearse.Container{NoHealthcheck: true}},
		{test: []string{"NONE"}},
		{},
	} {
		s := &service{spec: rehearse.Service{Name: "api", Container: &c.spec}}
		s.image.Config.Healthcheck = &container.HealthConfig{Test: c.test}
		e := &environment{services: map[rehearse.ServiceName]*service{"api": s}}
		if got, ok := e.Healthcheck("api"); ok != c.wantOK || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q, %+v: got %+v, %v, want %+v, %v", c.test, c.spec, got, ok, c.want, c.wantOK)
		}
	}
	if _, ok := (&environment{}).Healthcheck("absent"); ok {
		t.Error("an unknown service has a healthcheck")
	}
}
