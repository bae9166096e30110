package profile

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Traffic is a traffic profile as its file has it. It is valid: there is at
// least one request, one rate point and one origin.
type Traffic struct {
	Description string
	own         rehearse.Traffic // at the profile's own duration
}

// ReadTraffic reads and checks a traffic profile. The error names the file as
// path does; it is a [rehearse.Problems], or one [*rehearse.Error] when the file
// cannot be read.
func ReadTraffic(path string) (*Traffic, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // without the path, which Error has already
		}
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid,
			File: path,
			Msg:  "read the traffic profile",
			Hint: "Check the path, which counts from the directory of the file that names it.",
			Err:  err,
		}
	}
	return ParseTraffic(path, data)
}

// Over is the traffic with its time axis scaled to d and its rates unchanged; 0
// keeps the profile's own duration. Origins are in the order of their regions
// and have no link yet. Each call gives slices of its own; the maps are shared
// and must not be changed.
func (t *Traffic) Over(d time.Duration) rehearse.Traffic {
	out := t.own.Over(d)
	out.Rate = slices.Clone(out.Rate)
	out.Origins = slices.Clone(out.Origins)
	out.Requests = slices.Clone(out.Requests)
	return out
}
