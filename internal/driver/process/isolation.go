//go:build unix

package process

import (
	"context"
	"fmt"
	"net"
	"os"
)

// isolation is how far services are kept apart: namespaces where the host has
// them, else addresses or ports of the host's own loopback.
type isolation interface {
	// start makes a jail in a network; the control groups' lists are joined.
	start(spec jailSpec, network string, groups []*os.File) (*jailProcess, error)
	// listen makes a listener that the client in a network, whose number is
	// given, reaches at an address from address.
	listen(network string, number int, host string, port int) (net.Listener, error)
	// packets makes the wire of a client one whose packets pass through two
	// files of ours, before the client's first listen.
	packets(network string, number int) (near, far *os.File, err error)
	dial(ctx context.Context, network string, port int) (net.Conn, error)
	// address is where the link from the client with the given number to its
	// i-th upstream listens. Client 0 is the services' own addresses.
	address(client, i int) string
	// processes lists the host's PIDs of what runs in a jail.
	processes(p *jailProcess) []int
	close()
}

func startIsolation(tier, dir string, env []string) (isolation, error) {
	switch tier {
	case TierNamespaces:
		return startNamespaces(dir, env)
	case TierAddresses, TierPorts:
		return startPlain(tier, dir, env)
	}
	return nil, fmt.Errorf("there is no tier %q", tier)
}
