package schema_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// cell is a value as SQL and as Eval takes it.
type cell struct {
	sql   string
	value schema.Value
}

// field is a column and the values that it has in turn.
type field struct {
	name, typ string
	cells     []cell
}

var null = cell{"NULL", schema.Value{}}

func ints(ns ...int64) (out []cell) {
	for _, n := range ns {
		out = append(out, cell{strconv.FormatInt(n, 10), schema.IntOf(n)})
	}
	return append(out, null)
}

func decimals(scale int, ns ...int64) (out []cell) {
	for _, n := range ns {
		v := schema.DecimalOf(n, scale)
		out = append(out, cell{v.String(), v})
	}
	return append(out, null)
}

func texts(make func(string) schema.Value, ss ...string) (out []cell) {
	for _, s := range ss {
		out = append(out, cell{"'" + strings.ReplaceAll(s, "'", "''") + "'", make(s)})
	}
	return append(out, null)
}

func times(ss ...string) (out []cell) {
	for _, s := range ss {
		v := schema.TimeOf(math.MaxInt64)
		if s != "infinity" {
			t, err := time.Parse("2006-01-02 15:04:05.999999", s)
			if err != nil {
				panic(err)
			}
			v = schema.TimeOf(t.UnixMicro())
		}
		out = append(out, cell{"'" + s + "'", v})
	}
	return append(out, null)
}

func dates(ss ...string) (out []cell) {
	for _, s := range ss {
		v := schema.DateOf(math.MaxInt64)
		if s != "infinity" {
			t, err := time.Parse(time.DateOnly, s)
			if err != nil {
				panic(err)
			}
			v = schema.DateOf(t.Unix() / 86400)
		}
		out = append(out, cell{"'" + s + "'", v})
	}
	return append(out, null)
}

func truths() []cell {
	return []cell{{"true", schema.BoolOf(true)}, {"false", schema.BoolOf(false)}, null}
}

var words = []string{"", " ", "a", "abc", "ABC", "Abc ", " x y ", "open", "closed", "ann@example.org", "Ann@Example.org", "a@b@c", "12345", "AB-123", "naïve", "日本語", "a_b%c", "5", "x.y.z", `back\slash`, "two\nlines", "+44 20 7946"}

var fields = []field{
	{"id", "integer", nil},
	{"i", "integer", ints(0, 1, -5, 7, 100, 46340)},
	{"j", "integer", ints(0, 3, 7, -2, 50)},
	{"k", "bigint", ints(0, 12, -7, 4294967295, 65535)},
	{"n", "numeric(18,2)", decimals(2, 0, 150, -1, 9999, 1000000, 33)},
	{"m", "numeric", decimals(4, 0, 1234567, -25000, 15000, 1)},
	{"f", "double precision", []cell{{"0", schema.FloatOf(0)}, {"1.5", schema.FloatOf(1.5)}, {"-2.25", schema.FloatOf(-2.25)}, {"1e10", schema.FloatOf(1e10)}, {"'NaN'", schema.FloatOf(math.NaN())}, null}},
	{"s", "text", texts(schema.TextOf, words...)},
	{"v", "character varying(40)", texts(schema.TextOf, words...)},
	{"c", "character(5)", []cell{{"'ab'", schema.TextOf("ab")}, {"''", schema.TextOf("")}, {"'abcde'", schema.TextOf("abcde")}, null}},
	{"ok", "boolean", truths()},
	{"no", "boolean", append(truths(), truths()[1])},
	{"d", "date", dates("2020-02-29", "1999-12-31", "2024-06-15", "1970-01-01", "infinity", "3020-01-01")},
	{"e", "date", dates("2021-02-28", "2000-01-01", "2024-06-15", "1969-07-20")},
	{"ts", "timestamp", times("2020-02-29 12:30:45.5", "2024-06-15 00:00:00", "1999-12-31 23:59:59.999999", "infinity", "1969-07-20 20:17:40")},
	{"tz", "timestamptz", times("2021-01-31 10:00:00", "2024-06-15 06:00:00", "1970-01-01 00:00:00", "3000-01-01 00:00:00")},
	{"iv", "interval", []cell{{"'1 mon'", schema.IntervalOf(1, 0, 0)}, {"'30 days'", schema.IntervalOf(0, 30, 0)}, {"'01:30:00'", schema.IntervalOf(0, 0, 5400e6)}, {"'-1 day'", schema.IntervalOf(0, -1, 0)}, {"'0'", schema.IntervalOf(0, 0, 0)}, null}},
	{"ti", "time", []cell{{"'08:30:00'", schema.ClockOf(30600e6)}, {"'23:59:59.5'", schema.ClockOf(86399.5e6)}, {"'00:00:00'", schema.ClockOf(0)}, null}},
	{"doc", "jsonb", texts(schema.JSONOf, `{"a": 1, "b": {"c": [1, 2, 3]}, "s": "x"}`, `{}`, `[1, "a", null]`, `"a"`, `5`, `null`, `{"kind": "full", "s": null, "n": 2.50}`)},
	{"arr", "text[]", texts(schema.OtherOf, `{a,b}`, `{}`, `{NULL,a}`, `{"x y","a,b"}`, `{open}`)},
	{"nums", "integer[]", texts(schema.OtherOf, `{1,2,3}`, `{}`, `{10,9}`, `{NULL}`, `{{1,2},{3,4}}`)},
	{"raw", "bytea", []cell{{`'\x'`, schema.BytesOf("")}, {`'\x00ff10'`, schema.BytesOf("\x00\xff\x10")}, {`'\x0102030405060708090a0b0c0d0e0f1011121314'`, schema.BytesOf("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14")}, null}},
	{"r", "int4range", texts(schema.OtherOf, `[1,5)`, `empty`, `[10,)`, `(,3)`)},
	{"mood", "mood", texts(schema.TextOf, "sad", "ok", "glad")},
	{"u", "uuid", texts(schema.TextOf, "00000000-0000-0000-0000-000000000000", "c0ffee00-1234-4abc-8def-0123456789ab")},
}

const rowCount = 240

// cellAt is a column's cell in a row: the columns turn at paces of their own.
func cellAt(f, row int) cell {
	cells := fields[f].cells
	if cells == nil {
		return ints(int64(row))[0]
	}
	return cells[(row*(2*f+1)/(1+f%3)+row/len(cells)+f)%len(cells)]
}

func getter(row int) func(string) schema.Value {
	return func(column string) schema.Value {
		for f := range fields {
			if fields[f].name == column {
				return cellAt(f, row).value
			}
		}
		panic("no column " + column)
	}
}

// conditions are true for some rows and not for others.
var conditions = []string{
	`i > 0`, `i >= 1 AND i <= 100`, `i BETWEEN 0 AND 10`, `i NOT BETWEEN 0 AND 10`, `i <> 7`, `i = j`, `i < j`, `NOT (i > j)`, `n > 0`, `n >= 1.50`, `m < 123.4567`, `n = 99.99`, `n > i`, `f > 0`, `f <= 1.5`, `f = 'NaN'`,
	`i IN (1, 7, 100)`, `i NOT IN (1, 7)`, `s IN ('open', 'closed')`, `v IN ('open', 'closed', 'a')`, `s NOT IN ('open', '')`, `s = 'abc'`, `s <> ''`, `v = 'open'`, `c = 'ab'`, `c IN ('ab', 'abcde')`, `c <> ''`, `v::text = s`, `s = 'open' OR s = 'closed'`,
	`i IS NULL OR i > 5`, `i IS NOT NULL`, `(i IS NULL) = (j IS NULL)`, `(i IS NULL) <> (s IS NULL)`, `ok`, `NOT ok`, `ok IS TRUE`, `ok IS NOT TRUE`, `ok IS FALSE`, `ok IS NOT FALSE`, `ok IS UNKNOWN`, `ok AND no`, `ok OR no`, `ok = no`, `ok IS DISTINCT FROM no`, `ok IS NOT DISTINCT FROM no`,
	`i IS DISTINCT FROM 7`, `s IS NOT DISTINCT FROM 'a'`, `ok OR (i > 0 AND j > 0)`, `(ok AND i IS NOT NULL) OR (NOT ok AND i IS NULL)`,
	`CASE WHEN ok THEN i > 0 ELSE i <= 0 END`, `CASE mood WHEN 'sad' THEN i = 0 WHEN 'ok' THEN i > 0 END`, `COALESCE(i, 0) >= 0`, `NULLIF(s, '') IS NOT NULL`, `GREATEST(i, j) > 5`, `LEAST(i, j, 3) >= 0`, `num_nonnulls(i, j, s) = 1`, `num_nulls(i, j) < 2`,
	`length(s) > 3`, `char_length(v) <= 5`, `length(s) = 3`, `octet_length(s) <> length(s)`, `octet_length(raw) = 20`, `raw IS NULL OR length(raw) <= 3`, `length(c) = 2`, `lower(s) = s`, `upper(s) = s`, `s = btrim(s)`, `btrim(s) <> ''`, `length(trim(both from s)) > 0`, `ltrim(s) = s`, `rtrim(s, 'c') <> s`, `char_length(btrim(v)) >= 2`,
	`s ~ '^[^@]+@[^@]+$'`, `v ~ '^[A-Z]{2}-\d+$'`, `s ~* '^abc'`, `s !~ '[A-Z]'`, `s !~* 'X'`, `s ~ '^\w+$'`, `s ~ '\s'`, `s ~ '^[[:alpha:]]+$'`, `s ~ '^.+$'`, `s ~ '^\+?[0-9 ]{5,20}$'`, `v ~ '(?i)^ann@'`, `s LIKE 'a%'`, `v LIKE '_bc'`, `s NOT LIKE '%@%'`, `s ILIKE 'A%'`, `s LIKE 'a\_b\%%'`, `s NOT ILIKE '%X%'`, `s SIMILAR TO '(open|clo%)'`, `s ~ ANY (ARRAY['^a', 'z$'])`, `s LIKE ANY (ARRAY['a%', '%z'])`, `s ~ '^[]a-c]+$'`, `s ~ '^[^\d\s]+$'`,
	`substring(s from 1 for 1) = 'a'`, `left(s, 2) = 'op'`, `right(s, -1) = 'bc'`, `position('@' in s) > 1`, `strpos(v, 'c') = 3`, `replace(s, ' ', '') <> s`, `s || v <> 'aa'`, `concat(s, i) LIKE 'abc%'`, `concat_ws('-', s, v) LIKE '%-%'`, `split_part(s, '@', 2) <> ''`, `starts_with(s, 'a')`, `reverse(s) = 'cba'`, `ascii(s) > 96`, `translate(s, 'abc', 'x') = 'x'`, `initcap(s) = s`, `lpad(v, 5, '0') = '00abc'`,
	`i + j > 5`, `i - j = 0`, `i * j >= 0`, `i / 2 = 3`, `i % 2 = 0`, `mod(i, 5) = 2`, `k * 2 > 100`, `n * 100 = 150`, `n + m > 10`, `n / 3 > 1`, `i / n > 0.5`, `j ^ 2 > 40`, `abs(i) <= 5`, `round(n) = 2`, `round(m, 2) = 123.46`, `floor(n) = ceil(n)`, `trunc(m) = m`, `sign(i) = 1`, `sqrt(abs(j)::float8) > 2`, `- i > 0`, `i::numeric / 2 = 3.5`, `n::integer = 2`, `f * 2 = 3`, `power(j, 2) = 9`, `n = round(n, 1)`, `(i & 1) = 1`,
	`d > '2000-01-01'`, `d <= CURRENT_DATE`, `tz < now()`, `tz <= CURRENT_TIMESTAMP`, `d < e`, `e >= d`, `d - e > 30`, `d + 30 > e`, `ts > '2020-01-01 00:00:00'`, `ts - tz::timestamp > '1 day'`, `tz + '1 month' > '2021-02-28'`, `ts + iv > ts`, `iv >= '1 day'`, `iv = '30 days'`, `d + interval '1 year' > ts`, `extract(year from d) >= 2000`, `date_part('month', ts) = 6`, `extract(dow from e) IN (0, 6)`, `date_trunc('month', ts) = ts`, `date_trunc('day', tz) = tz`, `isfinite(d)`, `ts::date = d`, `ti > '09:00'`, `extract(epoch from iv) > 0`, `(tz AT TIME ZONE 'UTC')::date > '2021-01-01'`, `d BETWEEN '2000-01-01' AND '2100-01-01'`, `extract(hour from ti) = 8`, `extract(isodow from d) < 6`, `ti < '23:00'::time`, `extract(quarter from d) = 2`, `date_trunc('week', d) = d`,
	`jsonb_typeof(doc) = 'object'`, `doc ? 'a'`, `doc ->> 's' = 'x'`, `(doc -> 'b' -> 'c' -> 0) = '1'`, `doc @> '{"a": 1}'`, `doc <@ '{"a": 1, "b": {"c": [1, 2, 3]}, "s": "x"}'`, `doc ?& array['a', 'b']`, `doc ?| array['kind', 'b']`, `(doc #>> '{b,c,1}') = '2'`, `(doc ->> 'a')::int = 1`, `doc <> '{}'`, `doc -> 's' IS NOT NULL`, `jsonb_typeof(doc -> 's') = 'null'`, `doc = '{"b": {"c": [1, 2, 3]}, "s": "x", "a": 1.0}'`, `doc @> '["a"]'`, `jsonb_typeof(doc) <> 'array' OR jsonb_array_length(doc) = 3`, `(doc ->> 'n')::numeric > 2`,
	`array_length(arr, 1) = 2`, `cardinality(arr) > 0`, `'a' = ANY (arr)`, `'a' <> ALL (arr)`, `array_position(arr, NULL) IS NULL`, `arr @> ARRAY['a']`, `arr <@ ARRAY['a', 'b', 'open']`, `arr && ARRAY['open', 'b']`, `5 > ALL (nums)`, `nums[1] = 10`, `cardinality(nums) = 4`, `array_length(nums, 2) = 2`, `arr = '{}'`, `array_ndims(nums) = 1`, `arr = ARRAY['a','b']`,
	`lower(r) >= 1`, `upper(r) > 4`, `isempty(r)`, `NOT isempty(r) AND lower_inf(r)`, `r @> 2`, `lower(r) < upper(r) - 3`, `upper_inf(r)`,
	`mood = 'sad'`, `mood IN ('ok', 'glad')`, `mood <> 'ok'`, `u <> '00000000-0000-0000-0000-000000000000'`, `k BETWEEN 0 AND 4294967295`, `k <= 65535 AND k >= 0`, `(i > 0) IS TRUE`, `(s ~ '^a') = ok`, `s COLLATE "C" > 'b'`, `s IS NOT NULL AND s <> '' AND length(s) < 4`,
}

// values are expressions of keys and generated columns.
var valueExprs = []string{
	`lower(s)`, `upper(v)`, `i + j`, `i * 1.5`, `n * m`, `n / 7`, `m / n`, `(s || '-') || i`, `COALESCE(s, v, 'none')`, `d + 5`, `ts::date`, `date_trunc('hour', ts)`, `iv * 2`, `doc ->> 'a'`, `doc -> 'b'`, `left(s, 3)`, `i::text`, `n::text`, `f::text`, `d::text`, `iv::text`, `ts::text`, `ok::text`, `nums[2]`, `ARRAY[i, j]`, `n::int`, `f::numeric`, `round(f)`, `s::varchar(2)`, `substring(s from 2)`, `mod(i, 3)`, `extract(year from ts)`,
	`d + '1 mon'::interval`, `ts - '1 mon 2 days 03:04:05'::interval`, `m::numeric(8,1)`, `i / j`, `k % 7`, `(n - m) / 3`, `length(s) + length(v)`, `CASE WHEN i > 5 THEN 'big' WHEN i > 0 THEN 'small' ELSE s END`, `greatest(n, m, i)`, `doc - 'a'`, `raw`, `u::text`, `repeat('ab', j)`,
}

func TestPostgres(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var columns []string
	for _, f := range fields {
		columns = append(columns, f.name+" "+f.typ)
	}
	exec("SET TimeZone = 'UTC'")
	exec("CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad')")
	exec("CREATE TABLE t (" + strings.Join(columns, ", ") + ")")
	exec("CREATE TABLE checks (LIKE t)")
	var rows []string
	for row := range rowCount {
		var cells []string
		for f := range fields {
			cells = append(cells, cellAt(f, row).sql)
		}
		rows = append(rows, "("+strings.Join(cells, ",")+")")
	}
	exec("INSERT INTO t VALUES " + strings.Join(rows, ","))
	exec(`CREATE FUNCTION attempt(e text, at int) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE out text; BEGIN EXECUTE 'SELECT (' || e || ')::text FROM t WHERE id = $1' INTO out USING at; RETURN out; EXCEPTION WHEN OTHERS THEN RETURN 'ERROR'; END $$`)

	printed := func(expr string) string {
		t.Helper()
		exec("ALTER TABLE checks ADD CONSTRAINT x CHECK (" + expr + ")")
		defer exec("ALTER TABLE checks DROP CONSTRAINT x")
		var out string
		if err := conn.QueryRow(ctx, "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'x'").Scan(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	answers := func(expr string) (out []*string) {
		t.Helper()
		query := "SELECT (" + expr + ")::text FROM t ORDER BY id"
		got, err := conn.Query(ctx, query)
		if err == nil {
			out, err = pgx.CollectRows(got, pgx.RowTo[*string])
		}
		if err == nil {
			return out
		}
		got, err = conn.Query(ctx, "SELECT attempt($1, id) FROM t ORDER BY id", expr)
		if err == nil {
			out, err = pgx.CollectRows(got, pgx.RowTo[*string])
		}
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		return out
	}
	check := func(t *testing.T, text string) map[string]int {
		t.Helper()
		e, err := schema.ParseExpr(schema.Postgres, text)
		if err != nil {
			t.Fatal(err)
		}
		narrowed := schema.Narrow(e)
		counts := map[string]int{}
		for row, want := range answers(text) {
			get := getter(row)
			got, err := e.Eval(get, time.Now())
			if !sameAnswer(got, err, want) {
				var of []string
				for _, c := range e.Columns() {
					of = append(of, c+"="+strconv.Quote(get(c).String()))
				}
				t.Errorf("%s\nfor %s is %v (error %v); the server says %s", text, strings.Join(of, ", "), got, err, deref(want))
				break
			}
			counts[deref(want)]++
			for _, r := range narrowed {
				if v := get(r.Column); !r.Allows(v) && !got.IsFalse() && err == nil {
					t.Errorf("%s\nis %v where %s = %v, which %+v does not allow", text, got, r.Column, v, r)
				}
			}
		}
		return counts
	}
	for _, expr := range conditions {
		t.Run(expr, func(t *testing.T) {
			counts := check(t, printed(expr))
			if counts["true"] == 0 || len(counts) < 2 {
				t.Errorf("%s is %v: rows that are told apart are needed", expr, counts)
			}
		})
	}
	for _, expr := range valueExprs {
		t.Run(expr, func(t *testing.T) {
			text := strings.TrimSuffix(strings.TrimPrefix(printed("("+expr+") IS NOT NULL"), "("), " IS NOT NULL)")
			if counts := check(t, text); len(counts) < 2 {
				t.Errorf("%s is always the same: %v", expr, counts)
			}
		})
	}
}

func deref(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}

func sameAnswer(got schema.Value, err error, want *string) bool {
	if err != nil || want == nil {
		return err != nil && deref(want) == "ERROR" || err == nil && want == nil && got.IsNull()
	}
	if got.IsNull() {
		return false
	}
	w := strings.TrimSuffix(*want, "+00")
	if got.String() == w {
		return true
	}
	var x, y float64
	if n, _ := fmt.Sscanf(got.String(), "%g", &x); n == 0 {
		return false
	}
	if n, _ := fmt.Sscanf(w, "%g", &y); n == 0 {
		return false
	}
	return math.Abs(x-y) <= 1e-12*math.Abs(y)
}
