package dataset

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
)

// SpecOf is what a service's dataset is made of.
func SpecOf(d *rehearse.DataSpec) Spec {
	return Spec{Profile: d.Profile, PlanFile: d.PlanFile, Scale: d.Scale, Seed: d.Seed, Rows: d.Rows, Without: d.Without}
}

// FillKey is everything that the rows of a service's dataset depend on, for
// [driver.Spec].
func FillKey(s rehearse.Service) ([]string, error) { return Key(SpecOf(s.Data)) }

// Filler fills the databases of an environment, for [driver.Spec]. It tells talk
// how far it is, a line a phase.
func Filler(talk io.Writer) func(ctx context.Context, s rehearse.Service, into driver.Filling) error {
	return func(ctx context.Context, s rehearse.Service, into driver.Filling) error {
		files, err := Read(SpecOf(s.Data))
		if err != nil {
			return err
		}
		db, err := Open(ctx, URL(into.Engine, into.User, into.Password, into.Database), func(ctx context.Context, _, _ string) (net.Conn, error) {
			return into.Dial(ctx)
		})
		if err != nil {
			return err
		}
		defer db.Close()
		var phase load.Phase
		start := time.Now()
		done, err := Fill(ctx, db, files, load.Options{Truncate: true, Progress: func(p load.Progress) {
			if p.Phase != phase {
				phase = p.Phase
				fmt.Fprintf(talk, "%s: dataset %s: %s\n", s.Name, s.Data.Name, says(p))
			}
		}})
		for _, n := range done.Notes {
			fmt.Fprintf(talk, "%s: dataset %s: %s\n", s.Name, s.Data.Name, n)
		}
		if err != nil {
			return fmt.Errorf("generate dataset %q: %w", s.Data.Name, err)
		}
		fmt.Fprintf(talk, "%s: dataset %s: %d rows in %v\n", s.Name, s.Data.Name, done.Rows, time.Since(start).Round(100*time.Millisecond))
		return nil
	}
}

func says(p load.Progress) string {
	switch p.Phase {
	case load.PhaseLoad:
		return fmt.Sprintf("load %d rows", p.Total)
	case load.PhaseCheck:
		return "try its constraints"
	case load.PhaseIndexes:
		return "make indexes and keys"
	case load.PhaseReferences:
		return "prove references"
	}
	return strings.ToLower(string(p.Phase))
}
