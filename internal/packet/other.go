//go:build !linux

package packet

import (
	"context"
	"os"

	"github.com/rehearse-dev/rehearse"
)

// Open makes a TUN device, which only Linux has.
func Open(string) (*os.File, error) { return nil, Available() }

// Available reports why this system has no wires.
func Available() error {
	return &rehearse.Error{Kind: rehearse.Unavailable, Msg: "the packet tier needs Linux"}
}

// Run reports why this system has no wires.
func (w *Wire) Run(context.Context) error { return Available() }
