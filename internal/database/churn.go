package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/churn"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Churn writes to a service's database as its dataset asks, until ctx ends, which
// is no error. Why it could not stands in the result.
func Churn(ctx context.Context, s rehearse.Service, at driver.Filling, seed uint64) rehearse.ChurnResult {
	began := time.Now()
	r, err := write(ctx, s, at, seed)
	out := rehearse.ChurnResult{
		Service: s.Name, Dataset: s.Data.Name, Seed: seed, Elapsed: rehearse.Duration(time.Since(began)), Wanted: r.Wanted,
		Transactions: r.Transactions, Inserts: r.Inserts, Updates: r.Updates, Deletes: r.Deletes,
		Disconnects: r.Disconnects, Errors: r.Errors, Notes: r.Notes,
	}
	for _, c := range []struct {
		of string
		n  int64
	}{
		{"serialization", r.Conflicts.Serialization}, {"deadlock", r.Conflicts.Deadlock}, {"lock timeout", r.Conflicts.LockTimeout},
		{"unique", r.Conflicts.Unique}, {"constraint", r.Conflicts.Constraint}, {"other", r.Conflicts.Other},
	} {
		if c.n > 0 {
			if out.Conflicts == nil {
				out.Conflicts = map[string]int64{}
			}
			out.Conflicts[c.of] = c.n
		}
	}
	if err != nil {
		out.Failed = sentence(err.Error())
	}
	return out
}

func write(ctx context.Context, s rehearse.Service, at driver.Filling, seed uint64) (churn.Report, error) {
	switch {
	case at.Engine != "postgres":
		return churn.Report{}, errors.New("only PostgreSQL is written to")
	case s.Data.Profile == "":
		return churn.Report{}, fmt.Errorf("data.%s has no profile to say how often its tables are written to", s.Data.Name)
	}
	p, err := profile.ReadData(s.Data.Profile)
	if err != nil {
		return churn.Report{}, err
	}
	tables, err := catalog(ctx, at)
	if ctx.Err() != nil {
		return churn.Report{}, errors.New("the load was over before its schema was read")
	}
	if err != nil {
		return churn.Report{}, err
	}
	connect := connector(at)
	return churn.Run(ctx, func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		// A check of the service's log is not about errors of ours. Only a superuser
		// may, and another's errors are in the log then.
		_, _ = conn.Exec(ctx, "SET log_min_messages = fatal")
		return conn, nil
	}, tables, p, churn.Options{Seed: seed, Speed: s.Data.Churn})
}

// catalog reads the schema of a database.
func catalog(ctx context.Context, at driver.Filling) (*schema.Schema, error) {
	db, err := dataset.Open(ctx, dataset.URL(at.Engine, at.User, at.Password, at.Database), func(ctx context.Context, _, _ string) (net.Conn, error) {
		return at.Dial(ctx)
	})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Schema(), nil
}
