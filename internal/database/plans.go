package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/parity"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Plans compares how production's statements are planned by two databases with the
// service's dataset: base has not had the migrations and head has. It gives both
// production's statistics, so that they are of no use for anything else afterwards.
// Why nothing could be compared stands in the result.
func Plans(ctx context.Context, s rehearse.Service, base, head driver.Filling) rehearse.PlansResult {
	began := time.Now()
	r := rehearse.PlansResult{Service: s.Name, Dataset: s.Data.Name}
	if err := compare(ctx, &r, s.Data.Profile, base, head); err != nil {
		r.Failed = sentence(err.Error())
		var e *rehearse.Error
		if errors.As(err, &e) {
			r.Hint = e.Hint
		}
	}
	r.Elapsed = rehearse.Duration(time.Since(began))
	return r
}

func compare(ctx context.Context, r *rehearse.PlansResult, file string, base, head driver.Filling) error {
	if base.Engine != "postgres" {
		return errors.New("only PostgreSQL is asked for its plans")
	}
	p, err := profile.ReadData(file)
	if err != nil {
		return err
	}
	r.Statements = len(p.Statements)
	if r.Statements == 0 {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the profile has no statements",
			Hint: "Let rehearse data profile see pg_stat_statements in production: CREATE EXTENSION pg_stat_statements, and a role with pg_read_all_stats.",
		}
	}
	before, err := likeProduction(ctx, base, p, nil)
	if err != nil {
		return fmt.Errorf("before the migrations: %w", err)
	}
	defer before.Close(context.WithoutCancel(ctx))
	after, err := likeProduction(ctx, head, p, &r.Notes)
	if err != nil {
		return fmt.Errorf("after the migrations: %w", err)
	}
	defer after.Close(context.WithoutCancel(ctx))
	found, err := parity.Check(ctx, before, after, p.Statements)
	if err != nil {
		return err
	}
	for _, f := range found {
		out := rehearse.PlanFinding{Kind: f.Kind, SQL: f.SQL, Calls: f.Calls, What: f.What}
		if f.Before != nil {
			out.Before = f.Before.String()
		}
		if f.After != nil {
			out.After = f.After.String()
		}
		r.Findings = append(r.Findings, out)
	}
	return nil
}

// likeProduction connects to a database and gives it production's statistics. What
// migrations have made is analysed first, as autovacuum would soon.
func likeProduction(ctx context.Context, at driver.Filling, p *profile.Data, notes *[]string) (*pgx.Conn, error) {
	conn, err := connector(at)(ctx)
	if err != nil {
		return nil, err
	}
	applied := parity.Report{}
	if _, err = conn.Exec(ctx, "ANALYZE"); err == nil {
		applied, err = parity.Apply(ctx, conn, "", p)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	if notes != nil {
		*notes = append(*notes, applied.Notes...)
	}
	return conn, nil
}
