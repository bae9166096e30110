//go:build !linux

package testdb

import "os/exec"

func dieWithUs(*exec.Cmd) {}
