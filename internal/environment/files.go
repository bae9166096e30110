package environment

import (
	"context"
	"fmt"
	"io"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// copier is the driver's environment, where its services have files.
func (e *Environment) copier() (driver.Copier, error) {
	c, ok := e.inner.(driver.Copier)
	if !ok {
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("driver %s cannot copy files", e.o.Driver.Name()),
			Hint: "Run the services as processes or as containers.",
		}
	}
	return c, nil
}

// Stat says what lies at a place of a service; see driver.Copier.
func (e *Environment) Stat(ctx context.Context, at driver.Place) (driver.FileInfo, error) {
	c, err := e.copier()
	if err != nil {
		return driver.FileInfo{}, err
	}
	return c.Stat(ctx, at)
}

// ReadFiles writes what lies at a place as a tar archive.
func (e *Environment) ReadFiles(ctx context.Context, at driver.Place, to io.Writer) error {
	c, err := e.copier()
	if err != nil {
		return err
	}
	return c.ReadFiles(ctx, at, to)
}

// WriteFiles unpacks a tar archive into a directory of a service.
func (e *Environment) WriteFiles(ctx context.Context, at driver.Place, from io.Reader) error {
	c, err := e.copier()
	if err != nil {
		return err
	}
	return c.WriteFiles(ctx, at, from)
}
