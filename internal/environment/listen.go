package environment

import (
	"context"
	"fmt"
	"net"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// opening is a listener that is to be opened for a client.
type opening struct {
	client rehearse.ServiceName
	names  []string
	port   int
	link   bool // of the plan: its client does not start before it stands
	serve  func(net.Listener)
}

// listening are the listeners that the driver has reserved, and cannot open yet.
type listening struct {
	links, others []opening
	linked        chan struct{} // closed when those of links stand
	all           chan struct{} // closed when all do
}

func newListening() listening {
	return listening{linked: make(chan struct{}), all: make(chan struct{})}
}

// listen opens a listener and serves it. Where the driver knows the address before
// it can listen there, it is opened by listenLater.
func (e *Environment) listen(ctx context.Context, o opening) (driver.Address, error) {
	if r, ok := e.inner.(driver.Reserver); ok && !rehearse.IsIngress(o.client) {
		addr, err := r.Reserve(o.client, o.names, o.port)
		if err != nil {
			return addr, err
		}
		if o.link {
			e.listening.links = append(e.listening.links, o)
		} else {
			e.listening.others = append(e.listening.others, o)
		}
		return addr, nil
	}
	ln, addr, err := e.inner.Listen(ctx, o.client, o.names, o.port)
	if err == nil {
		e.running.Go(func() { o.serve(ln) })
	}
	return addr, err
}

// listenLater opens what was reserved, the links' listeners first.
func (e *Environment) listenLater(life context.Context) {
	open := func(all []opening) bool {
		for _, o := range all {
			ln, _, err := e.inner.Listen(life, o.client, o.names, o.port)
			if err != nil {
				if life.Err() == nil {
					e.failures <- fmt.Errorf("listen for %s as %s: %w", o.client, o.names[0], err)
				}
				return false
			}
			e.running.Go(func() { o.serve(ln) })
		}
		return true
	}
	if !open(e.listening.links) {
		return
	}
	close(e.listening.linked)
	if open(e.listening.others) {
		close(e.listening.all)
	}
}

// awaitListeners waits until the links of a client stand.
func (e *Environment) awaitListeners(life context.Context, client rehearse.ServiceName) error {
	for _, o := range e.listening.links {
		if o.client != client {
			continue
		}
		select {
		case <-e.listening.linked:
			return nil
		case <-life.Done():
			return context.Cause(life)
		}
	}
	return nil
}
