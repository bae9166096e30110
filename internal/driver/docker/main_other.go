//go:build !linux

package docker

import "errors"

// linkMain is the link container's program, and containers are Linux's.
func linkMain() error { return errors.New("the link container's program runs on Linux alone") }
