package environment_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// relay PORT UPSTREAM UPSTREAMPORT passes each line on to another service, and
// its answer back.
func relay(ctx context.Context, h *memory.Host, args []string) int {
	return listen(ctx, h, []string{"0s", args[0]}, func(r *bufio.Reader, w io.Writer) {
		var upstreamPort int
		if _, err := fmt.Sscan(args[2], &upstreamPort); err != nil {
			return
		}
		up, err := h.Dial(ctx, args[1], upstreamPort)
		if err != nil {
			fmt.Fprintln(w, "error:", err)
			return
		}
		defer up.Close()
		answers := bufio.NewReader(up)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := io.WriteString(up, line); err != nil {
				return
			}
			answer, err := answers.ReadString('\n')
			if err != nil {
				fmt.Fprintln(w, "error:", err)
				return
			}
			fmt.Fprint(w, "db said ", answer)
		}
	})
}

func link(client, upstream rehearse.ServiceName, ports ...int) rehearse.LinkSpec {
	return rehearse.LinkSpec{
		ID: rehearse.MakeLinkID(client, upstream), Client: client, Upstream: upstream,
		Names: []string{string(upstream), string(upstream) + ".internal"}, Ports: ports, Declared: true,
	}
}

// enter connects to an ingress link, as the outside world does.
func enter(t *testing.T, s *stage, e *environment.Environment, id rehearse.LinkID, port int) net.Conn {
	t.Helper()
	a, ok := e.Ingress(id, port)
	if !ok {
		t.Fatalf("there is no ingress %s to port %d", id, port)
	}
	c, err := s.driver.DialIngress(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func ask(t *testing.T, c net.Conn, question string) string {
	t.Helper()
	if _, err := fmt.Fprintln(c, question); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

func TestLinksCarry(t *testing.T) {
	s := newStage(t)
	s.programs["relay"] = relay
	e := s.mustUp(t, []rehearse.Service{
		{Name: "db", Image: "echo", Command: []string{"0s", "5432"}, Ready: port(5432)},
		{Name: "web", Image: "relay", Command: []string{"8080", "db.internal", "5432"},
			Ready: rehearse.Readiness{Probes: []rehearse.Probe{{Log: "listening"}}}, Needs: needs(need("db", rehearse.Healthy))},
	}, link("ingress", "web", 8080), link("ingress/eu-west-1", "web", 8080), link("web", "db", 5432))

	if got, want := ask(t, enter(t, s, e, "ingress:web", 0), "hello"), "db said hello"; got != want {
		t.Errorf("the answer is %q, want %q", got, want)
	}
	if got, want := ask(t, enter(t, s, e, "ingress/eu-west-1:web", 8080), "bonjour"), "db said bonjour"; got != want {
		t.Errorf("the answer is %q, want %q", got, want)
	}
	want := map[rehearse.LinkID]int64{"ingress:web": 1, "ingress/eu-west-1:web": 1, "web:db": 2}
	stats := e.Links()
	if len(stats) != len(want) {
		t.Errorf("%d links, want %d", len(stats), len(want))
	}
	for _, l := range stats {
		if l.Connections != want[l.ID] || l.BytesUp == 0 || l.BytesDown == 0 {
			t.Errorf("%s carried %d connections, %d bytes up and %d down; want %d connections", l.ID, l.Connections, l.BytesUp, l.BytesDown, want[l.ID])
		}
	}
	if _, ok := e.Link("web:db"); !ok {
		t.Error("the link web:db is not found")
	}
	if _, ok := e.Link("db:web"); ok {
		t.Error("there is a link that the plan does not have")
	}
	if _, ok := e.Ingress("ingress:web", 9090); ok {
		t.Error("there is an ingress to a port that the plan does not have")
	}
}

// TestNoWayButLinks has a service that dials another which it has no link to.
func TestNoWayButLinks(t *testing.T) {
	s := newStage(t)
	s.programs["relay"] = relay
	e := s.mustUp(t, []rehearse.Service{
		{Name: "db", Image: "echo", Command: []string{"0s", "5432"}, Ready: port(5432)},
		{Name: "web", Image: "relay", Command: []string{"8080", "db", "5432"}, Ready: port(8080)},
	}, link("ingress", "web", 8080))
	if got := ask(t, enter(t, s, e, "ingress:web", 0), "hello"); !strings.HasPrefix(got, "error:") {
		t.Errorf("without a link the other service said %q", got)
	}
}

// TestRefusedUpstream has a link to a port where nothing listens.
func TestRefusedUpstream(t *testing.T) {
	s := newStage(t)
	e := s.mustUp(t, []rehearse.Service{{Name: "db", Image: "idle"}}, link("ingress", "db", 5432))
	c := enter(t, s, e, "ingress:db", 5432)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read: %v, want ECONNRESET", err)
	}
	if got := e.Links()[0].Refused; got != 1 {
		t.Errorf("%d connections were refused, want 1", got)
	}
}

// TestDownResets has a connection that is open when the environment goes.
func TestDownResets(t *testing.T) {
	s := newStage(t)
	e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "db", Image: "echo", Command: []string{"0s", "5432"}, Ready: port(5432)}}, link("ingress", "db", 5432))
	if err != nil {
		t.Fatal(err)
	}
	c := enter(t, s, e, "ingress:db", 5432)
	if got := ask(t, c, "hello"); got != "hello" {
		t.Errorf("the answer is %q", got)
	}
	if err := e.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open after Down")
	}
	a, _ := e.Ingress("ingress:db", 0)
	if _, err := s.driver.DialIngress(t.Context(), a); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after Down: %v, want ECONNREFUSED", err)
	}
	s.nothingLeft(t)
}
