package docker_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// TestNoWayLeadsRoundALink has a service try every address that it could know of.
func TestNoWayLeadsRoundALink(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "round")
	p := open(t, d, "round", "round", server(t, "a"), server(t, "b"), server(t, "up"))
	names := []string{"up", "alias"}
	la, at, err := p.Listen(t.Context(), "a", names, 8080)
	if err != nil {
		t.Fatal(err)
	}
	lb, other, err := p.Listen(t.Context(), "b", names[:1], 8080)
	if err != nil {
		t.Fatal(err)
	}
	if at.Host == other.Host {
		t.Errorf("two clients know an upstream by one address, %s", at)
	}
	fromA, fromB := p.carry(la, "up", 8080), p.carry(lb, "up", 8080)
	for _, name := range []rehearse.ServiceName{"a", "b", "up"} {
		p.start(name)
	}
	address := func(name rehearse.ServiceName) string {
		return p.containers(name)[0].NetworkSettings.Networks["rehearse-round"].IPAddress.String()
	}

	p.ask("up", "hostname") // it is there
	for _, name := range names {
		if got := p.ask("a", "dial "+name+" 8080"); got != "up" {
			t.Errorf("over %s answers %q, want up", name, got)
		}
		if got := p.sh("a", "nslookup -type=a "+name); !strings.Contains(got, at.Host) {
			t.Errorf("the name server says of %s %q, want %s", name, got, at.Host)
		}
	}
	p.ask("b", "dial up 8080")
	if got, want := fromA(), []string{address("a"), address("a")}; !slices.Equal(got, want) {
		t.Errorf("connections of a came from %v, want %v", got, want)
	}
	if got, want := fromB(), []string{address("b")}; !slices.Equal(got, want) {
		t.Errorf("connections of b came from %v, want %v", got, want)
	}

	host, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	port := host.Addr().(*net.TCPAddr).Port
	network, err := testdocker.Start(t).Client().NetworkInspect(t.Context(), "rehearse-round", client.NetworkInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	targets := []string{
		address("up") + " 8080", // past the link
		fmt.Sprintf("%s %d", network.Network.IPAM.Config[0].Gateway, port),
		"alias.nowhere.example 80", "203.0.113.1 80",
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip := a.(*net.IPNet).IP; ip.To4() != nil {
			targets = append(targets, fmt.Sprintf("%s %d", ip, port))
		}
	}
	var all sync.WaitGroup
	for _, target := range targets {
		all.Go(func() {
			got := p.ask("a", "dial "+target)
			if !strings.HasPrefix(got, "error:") {
				t.Errorf("a reaches %s: %q", target, got)
			}
			if strings.HasPrefix(target, "alias.") && !strings.Contains(got, "no such host") ||
				strings.HasPrefix(target, "203.") && strings.Contains(got, "timeout") {
				t.Errorf("%s: %q, want it to be refused at once", target, got)
			}
		})
	}
	all.Wait()
	for _, want := range []string{"a → 203.0.113.1:80", "a → alias.nowhere.example"} {
		if !slices.ContainsFunc(p.Facts(), func(f rehearse.Fact) bool { return f.Name == "egress.refused" && f.Value == want }) {
			t.Errorf("no fact says %q: %v", want, p.Facts())
		}
	}
	if got := p.ask("b", "dial "+at.Host+" 8080"); !strings.HasPrefix(got, "error:") || strings.Contains(got, "timeout") {
		t.Errorf("over the link of a, b reaches up: %q", got)
	}
	if want := "b → up:8080 of a"; !slices.ContainsFunc(p.Facts(), func(f rehearse.Fact) bool { return f.Name == "egress.refused" && f.Value == want }) {
		t.Errorf("no fact says %q: %v", want, p.Facts())
	}
	if got := p.ask("a", "dial "+at.Host+" 8080"); got != "up" {
		t.Errorf("over its own link's address a is answered %q, want up", got)
	}
	if got := p.sh("b", "cat /proc/net/arp; ip addr; nc -w 1 "+address("up")+" 8080 </dev/null && echo reached; true"); strings.Contains(got, "reached") {
		t.Errorf("b reaches up by its address:\n%s", got)
	}
	// What is told while somebody asks is not believed, as when an engine makes a
	// container's address known.
	p.sh("b", "nc -w 3 "+address("up")+" 8080 </dev/null >/dev/null 2>&1 & for i in $(seq 100); do grep -qF '"+address("up")+" ' /proc/net/arp && exit; sleep 0.01; done; exit 1")
	p.sh("up", "arping -U -c 1 -I eth0 "+address("up"))
	if got := p.sh("b", "grep -F '"+address("up")+" ' /proc/net/arp || true"); !strings.Contains(got, "00:00:00:00:00:00") {
		t.Errorf("b has been told where up is: %q", got)
	}

	in, ingress, err := p.Listen(t.Context(), rehearse.Ingress, []string{"up"}, 8080)
	if err != nil {
		t.Fatal(err)
	}
	p.carry(in, "up", 8080)
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		c, err := net.Dial("tcp", net.JoinHostPort(ip.String(), fmt.Sprint(ingress.Port)))
		if got, want := err == nil, ip.String() == "127.0.0.1"; got != want {
			t.Errorf("the ingress is open at %s: %v, want %v", ip, got, want)
		}
		if err == nil {
			c.Close()
		}
	}
}
