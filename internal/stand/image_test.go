package stand

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// TestImagesSayTheirPorts plans services whose ports no file names.
func TestImagesSayTheirPorts(t *testing.T) {
	t.Parallel()
	engine := testdocker.Start(t)
	exposing := engine.Go(t, "../testdocker/program", "exposing", container.Config{ExposedPorts: network.PortSet{
		network.MustParsePort("9090/tcp"): {}, network.MustParsePort("8080/tcp"): {}, network.MustParsePort("53/udp"): {},
	}})
	registry := engine.Registry(t)
	dir := t.TempDir()
	text := fmt.Sprintf(`
name: shop
services:
  client:
    image: %[1]s
    depends_on: {here: {condition: service_started}, elsewhere: {condition: service_started}, far: {condition: service_started}, job: {condition: service_completed_successfully}}
  here: {image: %[1]s, expose: ["9090"]}
  job: {image: %[1]s}
  far: {image: "%[2]s/app:1"}
  elsewhere: {image: "rehearse.test/nowhere:1"}
`, exposing, registry.Host)
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plan := func(p *place, s Source) *rehearse.Plan {
		t.Helper()
		s.Dir, s.Driver = dir, "docker"
		project, err := p.Load(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		made, err := project.Plan(rehearse.Production())
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	made := plan(newPlace(t, engine), Source{})
	link, _ := made.Link("client:here")
	if d := cmp.Diff([]int{8080, 9090}, link.Ports); d != "" {
		t.Errorf("client:here: (-want +got)\n%s", d)
	}
	here, _ := made.Service("here")
	if d := cmp.Diff([]rehearse.Port{{Number: 8080, Known: "image"}, {Number: 9090, Known: "expose"}}, here.Ports); d != "" {
		t.Errorf("here: (-want +got)\n%s", d)
	}
	if d := cmp.Diff([]rehearse.Probe{{Port: 9090}}, here.Ready.Probes); d != "" {
		t.Errorf("it is ready when: (-want +got)\n%s", d)
	}
	for _, name := range []rehearse.LinkID{"client:elsewhere", "client:far"} {
		if _, ok := made.Link(name); ok {
			t.Errorf("there is a link %s to a service whose image the engine does not have", name)
		}
	}
	// That something could listen does not keep it from being done when it has ended.
	if job, _ := made.Service("job"); !job.Job || len(job.Ready.Probes) > 0 {
		t.Errorf("the job is %+v, want it to be one, and no port to be asked", job)
	}
	if got := fmt.Sprint(made.Notes); !strings.Contains(got, "services.elsewhere.ports in rehearse.yaml. What its image exposes is known when the image is on the engine.") {
		t.Errorf("it notes %s, want what to write for elsewhere", got)
	}
	var said strings.Builder
	made = plan(newPlace(t, engine), Source{Pull: &said}) // what it cannot pull, the start of the environment says
	t.Cleanup(func() {
		if _, err := engine.Client().ImageRemove(context.Background(), registry.Host+"/app:1", client.ImageRemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	if link, _ := made.Link("client:far"); !cmp.Equal(link.Ports, []int{80}) || registry.Pulls() == 0 {
		t.Errorf("after a pull the link to what it brought has the ports %v (%s), want 80", link.Ports, &said)
	}
	without := newPlace(t, engine)
	without.Env = []string{"DOCKER_HOST=unix:///nowhere/docker.sock"}
	if _, ok := plan(without, Source{}).Link("client:here"); !ok {
		t.Error("without an engine there is no link to the port that the file names")
	}
}
