//go:build unix && !linux

package process

import (
	"errors"
	"os"
	"syscall"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// What only Linux has. Elsewhere services run in the tier "ports", each in a
// process group of its own.

var errLinuxOnly = errors.New("namespaces are a feature of Linux")

func runGuest() error { return errLinuxOnly }

func makeJail(jailSpec) error { return errLinuxOnly }

func adoptOrphans() error { return nil }

func noNewPrivileges() error { return nil }

func selfPath() (string, error) { return os.Executable() }

func unprivilegedUser(*syscall.SysProcAttr, jailSpec) {}

// descendants are what the shim has started: process groups, so negative.
func descendants(int) []int { return nil }

func startNamespaces(string, []string) (isolation, error) { return nil, errLinuxOnly }

func namespacesHint() string {
	return "Isolation needs Linux."
}

type controlGroup struct{}

func (*environment) limit(s *service) (*controlGroup, error) { return nil, nil }
func (*controlGroup) lists() ([]*os.File, error)             { return nil, nil }
func (*controlGroup) remove()                                {}
func (*controlGroup) cause() string                          { return "" }
func (*controlGroup) throttled() rehearse.Throttling         { return rehearse.Throttling{} }
func (*environment) removeGroups()                           {}

func limitsFact() rehearse.Fact {
	return rehearse.Fact{Name: "limits", Value: "no", Note: "control groups are a feature of Linux"}
}

func (p *plain) processes(*jailProcess) []int { return nil }

func listGroups(string) []driver.Remnant { return nil }

func removeListedGroup(string, string) error { return nil }
