package docker

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"github.com/rehearse-dev/rehearse"
)

func TestExplainProgram(t *testing.T) {
	for said, want := range map[string]string{
		`Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "serve": executable file not found in $PATH: unknown`: `"serve": executable file not found in $PATH`,
		`OCI runtime create failed: runc create failed: unable to start container process: exec: "/serve": permission denied: unknown`:                                                                         `"/serve": permission denied`,
		"crun: executable file `serve` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found":                                                            "`serve` not found in $PATH: No such file or directory",
	} {
		err := explain(errors.New(said))
		if known, ok := errors.AsType[*rehearse.Error](err); !ok || known.Kind != rehearse.Invalid || known.Msg != "its program cannot be started: "+want {
			t.Errorf("%s: got %v, want %s", said, err, want)
		}
	}
	for _, said := range []string{"Error response from daemon: No command specified", "Error response from daemon: no command or entrypoint provided, and no CMD or ENTRYPOINT from image"} {
		if err := explain(errors.New(said)); rehearse.KindOf(err) != rehearse.Invalid || len(rehearse.Hints(err)) == 0 {
			t.Errorf("%s: got %v, want an error of kind Invalid with a hint", said, err)
		}
	}
	for said, want := range map[string]rehearse.Kind{
		"Error response from daemon: unable to find user nosuch: no matching entries in passwd file":                                      rehearse.Invalid,
		"Error response from daemon: Unable to find group nosuch: no matching entries in group file":                                      rehearse.Invalid,
		"Error response from daemon: error gathering device information while adding custom device \"/dev/x\": no such file or directory": rehearse.Unavailable,
	} {
		if err := explain(errors.New(said)); rehearse.KindOf(err) != want || len(rehearse.Hints(err)) == 0 {
			t.Errorf("%s: got %v, want an error of kind %v with a hint", said, err, want)
		}
	}
	const other = "OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting"
	if err := explain(errors.New(other)); err.Error() != other {
		t.Errorf("got %v, want it as it is", err)
	}
}

func TestRefused(t *testing.T) {
	for said, want := range map[string]rehearse.Kind{
		`invalid CapAdd: unknown capability: "CAP_NOSUCH"`:                       rehearse.Invalid,
		"Minimum memory limit allowed is 6MB":                                    rehearse.Invalid,
		"Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available": rehearse.Unavailable,
		"Unknown runtime specified nvidia":                                       rehearse.Unavailable,
		"unknown or invalid runtime name: nvidia":                                rehearse.Unavailable,
	} {
		err := refused(errdefs.ErrInvalidArgument.WithMessage(said))
		if rehearse.KindOf(err) != want || len(rehearse.Hints(err)) == 0 || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: got %v, want an error of kind %v with a hint", said, err, want)
		}
	}
	if err := refused(errors.New("it is on fire")); err.Error() != "it is on fire" {
		t.Errorf("got %v, want it as it is", err)
	}
}
