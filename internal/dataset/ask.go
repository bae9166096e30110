package dataset

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/llm"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Ask asks a language model what the columns of a schema mean, in the words that
// the generator knows. Tables that a plan of before knows, which may be nil, and
// that have not changed are not asked about again. See [llm.Ask].
func Ask(ctx context.Context, s *schema.Schema, before *llm.Plan, o llm.Options) (*llm.Plan, llm.Usage, error) {
	o.Known, o.Meanings, o.Fits = before.Known(), meanings(), fits
	return llm.Ask(ctx, s, o)
}

// Repair undoes a load of a database that was cut short, see [load.Repair]. It
// reports whether there was anything to do.
func Repair(ctx context.Context, url string) (bool, error) {
	db, err := Open(ctx, url, nil)
	if err != nil {
		return false, err
	}
	defer db.Close()
	if _, ok := db.(*postgresDatabase); !ok {
		return false, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "only a load of PostgreSQL leaves something to repair",
			Hint: "Load again with --truncate.",
		}
	}
	return load.Repair(ctx, func(ctx context.Context) (*pgx.Conn, error) {
		return postgres.Connect(ctx, postgres.Config{URL: url})
	})
}
