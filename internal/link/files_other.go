//go:build !unix

package link

import "net"

func crowded(net.Conn) bool { return false }
