package stand

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// filesRequest is what is asked of a service's files: to say what lies at a place,
// or to read or write it, as a tar archive that goes through the request's one
// file.
type filesRequest struct {
	Do string       `json:"do"` // "stat", "read", "write"
	At driver.Place `json:"at"`
}

func askFiles(ctx context.Context, e environment.Entry, q filesRequest, out any, files ...*os.File) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return control.Call(ctx, e.Socket(), control.Request{Op: "files", Body: body}, out, files...)
}

// StatFile asks an environment what lies at a place of one of its services.
func StatFile(ctx context.Context, e environment.Entry, at driver.Place) (driver.FileInfo, error) {
	var info driver.FileInfo
	err := askFiles(ctx, e, filesRequest{"stat", at}, &info)
	return info, err
}

// ReadFiles asks an environment to write what lies at a place to a file, as a tar
// archive.
func ReadFiles(ctx context.Context, e environment.Entry, at driver.Place, to *os.File) error {
	return askFiles(ctx, e, filesRequest{"read", at}, nil, to)
}

// WriteFiles asks an environment to unpack a tar archive, which it reads from a
// file, into a directory of a service.
func WriteFiles(ctx context.Context, e environment.Entry, at driver.Place, from *os.File) error {
	return askFiles(ctx, e, filesRequest{"write", at}, nil, from)
}

func answerFiles(ctx context.Context, env *environment.Environment, body json.RawMessage, files []*os.File) (any, error) {
	var q filesRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	switch {
	case q.Do == "stat":
		return env.Stat(ctx, q.At)
	case len(files) != 1:
		return nil, fmt.Errorf("files come with %d streams, not 1", len(files))
	case q.Do == "read":
		return nil, env.ReadFiles(ctx, q.At, files[0])
	case q.Do == "write":
		return nil, env.WriteFiles(ctx, q.At, files[0])
	}
	return nil, fmt.Errorf("this environment does not know how to %q files", q.Do)
}
