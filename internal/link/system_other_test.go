//go:build !linux

package link

import "syscall"

func freePipes() int { return 0 }

func multipath(syscall.RawConn) bool { return false }
