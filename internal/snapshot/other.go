//go:build !linux

package snapshot

import (
	"context"
	"errors"
	"os"
)

// What only Linux has. Elsewhere clones are copies.

var errLinuxOnly = errors.New("it is a feature of Linux")

func reflinkFile(_, _ *os.File) error { return errLinuxOnly }

// flush leaves it to the system when to write to the disk.
func flush(string) error { return nil }

func tryVolume() error { return errLinuxOnly }

type volume struct{ device, fs string }

func openVolume(context.Context, string, bool) (*volume, error) {
	return nil, errors.Join(errLinuxOnly, os.ErrNotExist)
}

func (v *volume) close() error         { return nil }
func (v *volume) golden(string) string { return "" }
func (v *volume) clone(string) string  { return "" }
