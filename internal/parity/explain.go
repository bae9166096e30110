package parity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Explain asks for the generic plan of one statement, whose parameters are
// written $1, $2 and so on. It executes nothing: the statement must be a single
// one, and the transaction is read-only and rolled back. The connection is in no
// transaction.
//
// The error of a statement that the server does not accept is a [*pgconn.PgError]
// below.
func Explain(ctx context.Context, conn *pgx.Conn, sql string) (*Plan, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	plan, err := explain(ctx, tx, sql)
	if back := tx.Rollback(context.WithoutCancel(ctx)); err == nil {
		err = back
	}
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", abridged(sql), err)
	}
	return plan, nil
}

// statementName is the prepared statement's of one Explain.
const statementName = "rehearse_explain"

func explain(ctx context.Context, tx pgx.Tx, sql string) (*Plan, error) {
	pg := tx.Conn().PgConn()
	// To prepare it also makes sure that it is one statement: what follows is sent
	// as text, where a second one would be run.
	prepared, err := pg.Prepare(ctx, statementName, sql, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = pg.Deallocate(context.WithoutCancel(ctx), statementName) }()
	var version int
	if err := tx.QueryRow(ctx, "SELECT current_setting('server_version_num')::int", pgx.QueryExecModeExec).Scan(&version); err != nil {
		return nil, err
	}
	ask := "EXPLAIN (FORMAT JSON, VERBOSE, GENERIC_PLAN) " + sql
	if version < 160000 {
		if _, err := pg.Exec(ctx, "SET LOCAL plan_cache_mode = force_generic_plan").ReadAll(); err != nil {
			return nil, err
		}
		ask = "EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE " + statementName
		if n := len(prepared.ParamOIDs); n > 0 {
			ask += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
		}
	}
	results, err := pg.Exec(ctx, ask).ReadAll()
	if err != nil {
		return nil, err
	}
	plan, err := decode(results)
	if err != nil {
		return nil, err
	}
	return plan, sizeScans(ctx, tx, plan)
}

// node is a plan's node as EXPLAIN (FORMAT JSON) writes it.
type node struct {
	Type     string  `json:"Node Type"`
	Mode     string  `json:"Partial Mode"`
	Strategy string  `json:"Strategy"`
	Command  string  `json:"Operation"`
	Parallel bool    `json:"Parallel Aware"`
	Join     string  `json:"Join Type"`
	Schema   string  `json:"Schema"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Startup  float64 `json:"Startup Cost"`
	Cost     float64 `json:"Total Cost"`
	Rows     float64 `json:"Plan Rows"`
	Width    int     `json:"Plan Width"`
	Plans    []node  `json:"Plans"`
}

func decode(results []*pgconn.Result) (*Plan, error) {
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return nil, errors.New("the server gave no plan: a rule may have rewritten the statement to none or to several")
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(results[0].Rows[0][0], &plans); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	if len(plans) != 1 {
		return nil, errors.New("a rule has rewritten the statement to several")
	}
	return plans[0].Plan.plan(), nil
}

func (n node) plan() *Plan {
	p := &Plan{Node: n.name(), Join: n.Join, Relation: n.Relation, Index: n.Index, Startup: n.Startup, Cost: n.Cost, Rows: n.Rows, Width: n.Width, schema: n.Schema}
	for _, child := range n.Plans {
		p.Plans = append(p.Plans, child.plan())
	}
	return p
}

// name is a node's name as EXPLAIN writes it in text.
func (n node) name() string {
	name := n.Type
	switch {
	case n.Type == "Aggregate" && n.Strategy == "Hashed":
		name = "HashAggregate"
	case n.Type == "Aggregate" && n.Strategy == "Sorted":
		name = "GroupAggregate"
	case n.Type == "Aggregate" && n.Strategy == "Mixed":
		name = "MixedAggregate"
	case n.Type == "ModifyTable":
		name = n.Command
	case n.Type == "SetOp" && n.Strategy == "Hashed":
		name = "HashSetOp"
	}
	if n.Mode != "" && n.Mode != "Simple" {
		name = n.Mode + " " + name
	}
	if n.Parallel {
		name = "Parallel " + name
	}
	return name
}

// sizeScans sets the pages of the relations that a plan scans.
func sizeScans(ctx context.Context, tx pgx.Tx, plan *Plan) error {
	var schemas, names []string
	var scans []*Plan
	for p := range plan.all() {
		if p.Relation != "" && p.schema != "" {
			schemas, names, scans = append(schemas, p.schema), append(names, p.Relation), append(scans, p)
		}
	}
	rows, err := tx.Query(ctx, `
		SELECT n.i, pg_relation_size(c.oid) / current_setting('block_size')::bigint
		FROM unnest($1::text[], $2::text[]) WITH ORDINALITY n (schema, name, i)
		JOIN pg_namespace s ON s.nspname = n.schema JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = n.name
		WHERE c.relkind IN ('r', 'm')`, pgx.QueryExecModeExec, schemas, names)
	if err != nil {
		return err
	}
	for rows.Next() {
		var i int
		var pages int64
		if err := rows.Scan(&i, &pages); err != nil {
			return err
		}
		scans[i-1].Pages = pages
	}
	return rows.Err()
}

// abridged is a statement for a message.
func abridged(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	if r := []rune(sql); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return sql
}
