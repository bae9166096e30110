package load

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

// plan is what is taken away before rows come, and how it is put back.
type plan struct {
	removals []removal
	steps    []step // by stage
}

// removal is a statement that takes something away, together with the steps that
// put it back.
type removal struct {
	object string
	sql    string
	steps  []step
}

// of are the steps of some stages.
func (p *plan) of(stages ...stage) []step {
	var out []step
	for _, s := range p.steps {
		if slices.Contains(stages, s.stage) {
			out = append(out, s)
		}
	}
	return out
}

// begin takes away what the plan says and writes the journal, in one transaction.
// What the server says something else depends on, such as a view that groups by
// a key, stays and is no longer part of the plan.
func (p *plan) begin(ctx context.Context, c *pgx.Conn, l *loader) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer rollback(tx)
	for _, r := range p.removals {
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, r.sql)
			return err
		})
		if codeOf(err) == "2BP01" {
			continue
		}
		if err != nil {
			return denied("take away "+r.object, err)
		}
		p.steps = append(p.steps, r.steps...)
	}
	slices.SortStableFunc(p.steps, func(a, b step) int { return cmp.Compare(a.stage, b.stage) })
	if l.Truncate {
		for _, t := range l.tables {
			if _, err := tx.Exec(ctx, "TRUNCATE "+t.sql); err != nil {
				return denied(fmt.Sprintf("empty table %q", t.name), err)
			}
		}
	}
	if err := writeJournal(ctx, tx, l.tables, p.steps); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("take away keys and indexes: %w", err)
	}
	return nil
}

// finish sets sequences and triggers as they should be and ends the journal, in
// one transaction, after which the load is done.
func (p *plan) finish(ctx context.Context, c *pgx.Conn, sequences []rows.Sequence) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer rollback(tx)
	for _, s := range p.of(stageTrigger) {
		if err := s.run(ctx, tx); err != nil {
			return err
		}
	}
	for _, s := range sequences {
		// A value below the sequence's first means that it was not used yet.
		_, err := tx.Exec(ctx, `SELECT CASE WHEN $2 < seqmin THEN setval(seqrelid, seqstart, false) ELSE setval(seqrelid, $2, true) END
			FROM pg_sequence WHERE seqrelid = $1::text::regclass`, s.Name, s.Last)
		if err != nil {
			return fmt.Errorf("set the sequence %s to %d: %w", s.Name, s.Last, err)
		}
	}
	if _, err := tx.Exec(ctx, dropJournal); err != nil {
		return fmt.Errorf("end the journal: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("end the load: %w", err)
	}
	return nil
}

// inOrder takes steps one after the other in one transaction.
func inOrder(ctx context.Context, c *pgx.Conn, steps []step) error {
	if len(steps) == 0 {
		return nil
	}
	if _, err := c.Exec(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, s := range steps {
		if err := s.make(ctx, c); err != nil {
			return err
		}
	}
	if _, err := c.Exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("put back constraints: %w", err)
	}
	return nil
}
