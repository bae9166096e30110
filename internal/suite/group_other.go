//go:build !unix

package suite

import (
	"os"
	"syscall"
)

// Without process groups only the command itself can be ended.

func ownGroup() *syscall.SysProcAttr { return nil }

func terminate(p *os.Process) { _ = p.Kill() }

func kill(p *os.Process) { _ = p.Kill() }

func exitCode(s *os.ProcessState) int { return s.ExitCode() }
