package schema_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestForeignSchemas(t *testing.T) {
	ctx := context.Background()
	total := 0
	for _, f := range testdb.Schemas() {
		t.Run(f.Name, func(t *testing.T) {
			url := testdb.Postgres(t)
			f.Files = f.Files[:1] // the tables, without rows
			f.Load(t, url)
			conn, err := pgx.Connect(ctx, url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(ctx)
			rows, err := conn.Query(ctx, `SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint JOIN pg_namespace n ON n.oid = connamespace WHERE contype = 'c' AND nspname !~ '^pg_|^information_schema'
				UNION SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indpred IS NOT NULL`)
			if err != nil {
				t.Fatal(err)
			}
			exprs, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range exprs {
				if _, err := schema.ParseExpr(schema.Postgres, x); err != nil {
					t.Error(err)
				}
			}
			total += len(exprs)
		})
	}
	if total < 10 {
		t.Errorf("only %d expressions were found", total)
	}
}

func TestNotUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		`soundex(a) = 'x'`: "the function soundex", `a = 'é' COLLATE "sv_SE"`: `the collation "sv_SE"`, `a ~ '(?=x)'`: "constraint", `a ~ '(a)\1'`: "not understood", `(a > 'sad'::mood)`: "type mood",
		`(a AT TIME ZONE 'Europe/Oslo'::text) > b`: "time zone", `a +`: "ends too early", `a = 'x`: "never closed", `(a, b) = (1, 2)`: "row", `a <-> b`: "not understood", `a)`: `")"`, ``: "ends too early", `a::point`: "cast to point", `a ~ b`: "pattern",
		strings.Repeat("(", 500): "nested too deeply",
	} {
		if _, err := schema.ParseExpr(schema.Postgres, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseExpr(%q) is %v, want %q", text, err, want)
		}
	}
}

func TestNarrow(t *testing.T) {
	five, ten := schema.IntOf(5), schema.IntOf(10)
	text := schema.TextOf
	restriction := func(r schema.Restriction) schema.Restriction {
		if r.MaxLength == 0 {
			r.MaxLength = -1
		}
		if r.MaxBytes == 0 {
			r.MaxBytes = -1
		}
		return r
	}
	for _, c := range []struct {
		expr string
		want []schema.Restriction
	}{
		{`((a >= 5) AND (a < 10) AND (a IS NOT NULL))`, []schema.Restriction{{Column: "a", Min: &five, Max: &ten, MaxExclusive: true, NotNull: true}}},
		{`((s)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))`, []schema.Restriction{{Column: "s", In: []schema.Value{text("x"), text("y")}}}},
		{`((s = 'x'::text) OR (s = 'y'::text) OR (s IS NULL))`, []schema.Restriction{{Column: "s", In: []schema.Value{text("x"), text("y")}}}},
		{`((VALUE IS NULL) OR (octet_length(VALUE) = 20))`, []schema.Restriction{{Column: "VALUE", MinBytes: 20, MaxBytes: 20}}},
		{`((ends IS NULL) OR (starts <= ends))`, []schema.Restriction{{Column: "starts", NotAbove: []string{"ends"}}}},
		{`((b IS NULL) OR (a > 5))`, nil},
		{`((a > 5) OR (b > 5))`, nil},
		{`(NOT ((a > 5) OR (b <> 10)))`, []schema.Restriction{{Column: "a", Max: &five}, {Column: "b", In: []schema.Value{ten}}}},
		{`((char_length((s)::text) > 4) AND (length(btrim((s)::text)) <= 10))`, []schema.Restriction{{Column: "s", MinLength: 5}}},
		{`(s ~ '^\d+$'::text)`, []schema.Restriction{{Column: "s", Match: []string{`(?s)^[0-9]+$`}}}},
		{`((d <= CURRENT_DATE) AND (s = lower(s)))`, []schema.Restriction{{Column: "d", Past: true}, {Column: "s", Lower: true}}},
		{`((a)::integer > 5)`, nil},
		{`(CASE WHEN a > 5 THEN b > 5 END)`, nil},
	} {
		e, err := schema.ParseExpr(schema.Postgres, c.expr)
		if err != nil {
			t.Error(err)
			continue
		}
		var want []schema.Restriction
		for _, r := range c.want {
			want = append(want, restriction(r))
		}
		var got []schema.Restriction
		for _, r := range schema.Narrow(e) {
			if !cmp.Equal(r, restriction(schema.Restriction{Column: r.Column}), equalValues, cmpopts.EquateEmpty()) {
				got = append(got, r)
			}
		}
		if d := cmp.Diff(want, got, equalValues, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("Narrow(%s) (-want +got):\n%s", c.expr, d)
		}
	}
}

var equalValues = cmp.Comparer(func(a, b schema.Value) bool { return a.Kind == b.Kind && a.String() == b.String() })

func TestEvalAllocates(t *testing.T) {
	e, err := schema.ParseExpr(schema.Postgres, `((price > (0)::numeric) AND (qty <= 100) AND ((status)::text = ANY (ARRAY['a'::text, 'b'::text])) AND (ends >= starts))`)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]schema.Value{"price": schema.DecimalOf(150, 2), "qty": schema.IntOf(7), "status": schema.TextOf("b"), "starts": schema.DateOf(1), "ends": schema.DateOf(2)}
	get := func(c string) schema.Value { return values[c] }
	now := time.Now()
	if got := testing.AllocsPerRun(1000, func() {
		if v, err := e.Eval(get, now); err != nil || v.String() != "true" {
			t.Fatal(v, err)
		}
	}); got >= 1 {
		t.Errorf("%v allocations for each row, want none", got)
	}
}

func FuzzParseExpr(f *testing.F) {
	for _, s := range conditions {
		f.Add(s, false)
	}
	for _, s := range mariaConditions {
		f.Add(s, true)
	}
	f.Add(`(a ~ similar_to_escape('a(b|c)%[[:alpha:]]'::text))`, false)
	f.Add(`("x" IS NOT NULL) AND (y = E'\\d')`, false)
	f.Add("(`a` in (_utf8mb4\\'x\\',_utf8mb4\\'y\\'))", true)
	f.Fuzz(func(t *testing.T, text string, maria bool) {
		engine := schema.Postgres
		if maria {
			engine = schema.MySQL
		}
		e, err := schema.ParseExpr(engine, text)
		if err != nil {
			return
		}
		for row := range 8 {
			get := func(column string) schema.Value { return cellAt((len(column)+row)%len(fields), row).value }
			got, err := e.Eval(get, time.Unix(1e9, 0))
			if err != nil || got.IsFalse() {
				continue
			}
			for _, r := range schema.Narrow(e) {
				if v := get(r.Column); v.Kind == schema.TextValue && !r.Allows(v) {
					t.Errorf("%q is %v where %s is %q, which %+v does not allow", text, got, r.Column, v, r)
				}
			}
		}
	})
}
