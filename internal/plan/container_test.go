package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
)

// A container is asked its healthcheck and for an answer through a link.
func TestContainerReadiness(t *testing.T) {
	check := rehearse.Probe{Shell: "curl -f http://localhost:9000/"}
	web := func(change func(*rehearse.Service)) rehearse.Service {
		s := rehearse.Service{
			Name: "web", Image: "example/web",
			Ports: []rehearse.Port{{Number: 8000, Known: "expose"}, {Number: 9000, Known: "ports"}, {Number: 9443, Known: "ports"}},
		}
		change(&s)
		return s
	}
	tests := []struct {
		name    string
		service rehearse.Service
		want    []rehearse.Probe
	}{
		{"no healthcheck", web(func(*rehearse.Service) {}), []rehearse.Probe{{Port: 8000}, {Port: 9000}, {Port: 9443}}},
		{"a healthcheck and the first published port", web(func(s *rehearse.Service) { s.Ready.Probes = []rehearse.Probe{check} }),
			[]rehearse.Probe{check, {Port: 9000}}},
		{"a healthcheck and no published port", web(func(s *rehearse.Service) {
			s.Ready.Probes, s.Ports = []rehearse.Probe{check}, s.Ports[:1]
		}), []rehearse.Probe{check, {Port: 8000}}},
		{"a recipe's query", web(func(s *rehearse.Service) {
			s.Image, s.Ports, s.Ready.Probes = "postgres:17", nil, []rehearse.Probe{{Shell: "pg_isready"}}
		}), []rehearse.Probe{{Shell: "pg_isready"}, {Query: "postgres"}}},
		{"a job", web(func(s *rehearse.Service) { s.Job = true }), nil},
		{"no network", web(func(s *rehearse.Service) { s.Container = &rehearse.Container{Network: "none"} }), nil},
		{"in another's network", web(func(s *rehearse.Service) { s.Container = &rehearse.Container{Network: "service:vpn"} }), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Make(Input{Compose: &compose.Project{Services: []rehearse.Service{tt.service}}, Driver: "docker"})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, p.Services[0].Ready.Probes); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// Of a network that two services share nobody can tell whose the ports are.
func TestSharedNetwork(t *testing.T) {
	p, err := Make(Input{Compose: &compose.Project{Services: []rehearse.Service{
		{Name: "torrent", Image: "example/torrent", Container: &rehearse.Container{Network: "service:vpn"}},
		{Name: "vpn", Image: "example/vpn", Ports: []rehearse.Port{{Number: 8080, Known: "ports"}}},
	}}, Driver: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Services {
		if len(s.Ready.Probes) > 0 {
			t.Errorf("%s: got the probes %v, want none", s.Name, s.Ready.Probes)
		}
	}
}

// What rehearse.yaml says under process is for another driver.
func TestContainersHaveNoProcess(t *testing.T) {
	c := parse(t, "services: {web: {process: {command: [./web]}}}")
	web := rehearse.Service{Name: "web", Image: "example/web"}
	p, err := Make(Input{Compose: &compose.Project{Services: []rehearse.Service{web}}, Config: c, Driver: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Services[0].Process; got != nil {
		t.Errorf("got %+v, want no process", got)
	}

	web.Image = ""
	_, err = Make(Input{Compose: &compose.Project{Services: []rehearse.Service{web}}, Config: c, Driver: "docker"})
	want := "rehearse.yaml: the docker driver cannot run the service web: it has neither image nor build"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A service in another's network speaks for both.
func TestMentionFromSharedNetwork(t *testing.T) {
	on := []string{"default"}
	p, err := Make(Input{Compose: &compose.Project{Services: []rehearse.Service{
		{Name: "vpn", Image: "example/vpn", Networks: on},
		{Name: "db", Image: "example/db", Networks: on},
		{Name: "scraper", Image: "example/scraper", Networks: on, Mounts: []rehearse.Mount{{Type: "config", Content: "targets: [db:9187]"}}},
		{Name: "torrent", Image: "example/torrent", Env: map[string]string{"DB": "db:5432"}, Container: &rehearse.Container{Network: "service:vpn"}},
	}}, Driver: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	link, _ := p.Link("vpn:db")
	if d := cmp.Diff([]int{5432, 9187}, link.Ports); d != "" {
		t.Errorf("vpn:db: (-want +got)\n%s", d)
	}
	if _, ok := p.Link("torrent:db"); ok {
		t.Error("there is a link from a service that has no network of its own")
	}
}
