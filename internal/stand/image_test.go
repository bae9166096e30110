package stand

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

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
	dir := t.TempDir()
	text := fmt.Sprintf(`
name: shop
services:
  client: {image: %[1]s, depends_on: [here, elsewhere]}
  here: {image: %[1]s, expose: ["9090"]}
  elsewhere: {image: "rehearse.test/nowhere:1"}
`, exposing)
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
	if _, ok := made.Link("client:elsewhere"); ok {
		t.Error("there is a link to a service whose image nobody has")
	}
	if got := fmt.Sprint(made.Notes); !strings.Contains(got, "services.elsewhere.ports in rehearse.yaml. What its image exposes is known when the image is on the engine.") {
		t.Errorf("it notes %s, want what to write for elsewhere", got)
	}
	var said strings.Builder
	plan(newPlace(t, engine), Source{Pull: &said}) // what it cannot pull, the start of the environment says
	without := newPlace(t, engine)
	without.Env = []string{"DOCKER_HOST=unix:///nowhere/docker.sock"}
	if _, ok := plan(without, Source{}).Link("client:here"); !ok {
		t.Error("without an engine there is no link to the port that the file names")
	}
}
