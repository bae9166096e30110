package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/archive"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

var _ driver.Copier = (*environment)(nil)

// Stat says what lies at a place.
func (e *environment) Stat(ctx context.Context, at driver.Place) (driver.FileInfo, error) {
	var out bytes.Buffer
	if err := e.copier(ctx, archive.OpStat, at, nil, &out); err != nil {
		return driver.FileInfo{}, err
	}
	var info archive.Info
	if err := json.Unmarshal(out.Bytes(), &info); err != nil {
		return driver.FileInfo{}, fmt.Errorf("look at %s of service %q: %w", at.Path, at.Service, err)
	}
	return driver.FileInfo(info), nil
}

// ReadFiles packs what lies at a place.
func (e *environment) ReadFiles(ctx context.Context, at driver.Place, to io.Writer) error {
	return e.copier(ctx, archive.OpRead, at, nil, to)
}

// WriteFiles unpacks an archive.
func (e *environment) WriteFiles(ctx context.Context, at driver.Place, from io.Reader) error {
	return e.copier(ctx, archive.OpWrite, at, from, nil)
}

// copier has our own program do something where a service runs, as the service's
// user: it sees the service's files, and can do no more to them than the service.
func (e *environment) copier(ctx context.Context, op string, at driver.Place, in io.Reader, out io.Writer) error {
	s, err := e.service(at.Service)
	if err != nil {
		return err
	}
	if at.Instance != 1 {
		return at.NoInstance(1)
	}
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p == nil {
		return fmt.Errorf("service %q is not running", at.Service)
	}
	var said bytes.Buffer
	code, err := e.exec(ctx, p, s.launch, driver.Command{Args: []string{copyArg, op, at.Path}, Stdin: in, Stdout: out, Stderr: &said}, true)
	switch {
	case err != nil:
		return fmt.Errorf("copy files of service %q: %w", at.Service, err)
	case code == archive.ExitMissing:
		return at.Missing()
	case code != 0:
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("copy files of service %q: %s", at.Service, strings.TrimSpace(said.String())),
			Hint: "Files are read and written with the rights of the service's own user.",
		}
	}
	return nil
}
