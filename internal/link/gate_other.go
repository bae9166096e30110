//go:build !linux

package link

import "net"

// Elsewhere a socket that listens cannot be made to refuse: each connection is
// reset, or left alone, when it has been accepted.

func (l *listener) listen(int) bool { return false }

func (l *listener) shut() bool { return false }

func (l *listener) deafen() bool { return false }

func (l *listener) hear() bool { return true }

func (l *listener) here() bool { return false }

func (l *listener) fill(*net.TCPAddr) bool { return false }
