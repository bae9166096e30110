package schema_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// mariaTypes are the columns that MariaDB has too.
var mariaTypes = map[string]string{"id": "int", "i": "int", "j": "int", "k": "bigint", "n": "decimal(18,2)", "s": "text", "v": "varchar(40)", "d": "date", "e": "date", "ts": "datetime(6)", "doc": "json", "ok": "boolean"}

var mariaConditions = []string{
	"i > 0", "i between 0 and 10", "i not in (1, 7)", "n >= 1.50", "n > i", "s in ('open', 'closed')", "v = 'ABC'", "v <> ''", "s like 'a%'", "s not like '%@%'", "s regexp '^[a-z]+$'", "v rlike '^[0-9]+$'",
	"char_length(s) > 3", "length(s) > 5", "json_valid(doc)", "i is null or i > 5", "i is not null", "not (i > j)", "ok", "not ok", "ok and i > 0", "ok is true", "i <=> 7", "i + j > 5", "i / 2 = 3.5", "i div 2 = 3", "i % 2 = 0",
	"d >= '2000-01-01'", "d < e", "ts > '2020-01-01 00:00:00'", "year(d) > 2000", "case when ok then i > 0 else i <= 0 end", "coalesce(i, 0) >= 0", "nullif(s, '') is not null", "greatest(i, j) > 5", "lower(v) = v", "trim(s) <> ''", "if(ok, i > 0, j > 0)",
	"concat(s, v) <> 'aa'", "substr(s, 1, 1) = 'a'", "abs(i) <= 5", "round(n) = 2", "floor(n) = n", "ifnull(i, -1) > 0", "locate('@', s) > 1", "replace(s, ' ', '') <> s", "mod(i, 5) = 2", "i = 7 or j = 7", "ok xor i > 0", "d + interval 1 year > e", "left(s, 2) = 'op'",
}

func TestMariaDB(t *testing.T) {
	url := testdb.MariaDB(t)
	at := strings.TrimPrefix(url, "mysql://root@")
	host, name, _ := strings.Cut(at, "/")
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.DBName = "root", "tcp", host, name
	config.Params = map[string]string{"charset": "utf8mb4"}
	db, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	var columns, names, rows []string
	for _, f := range fields {
		if typ := mariaTypes[f.name]; typ != "" {
			columns, names = append(columns, f.name+" "+typ), append(names, f.name)
		}
	}
	for row := range rowCount {
		var cells []string
		for f := range fields {
			if mariaTypes[fields[f].name] == "" {
				continue
			}
			c := mariaCell(f, row)
			cells = append(cells, strings.ReplaceAll(c.sql, `\`, `\\`))
		}
		rows = append(rows, "("+strings.Join(cells, ",")+")")
	}
	exec("CREATE TABLE t (" + strings.Join(columns, ", ") + ")")
	exec("CREATE TABLE checks LIKE t")
	exec("INSERT INTO t (" + strings.Join(names, ",") + ") VALUES " + strings.Join(rows, ","))
	var checks []string
	for i, expr := range mariaConditions {
		checks = append(checks, fmt.Sprintf("ADD CONSTRAINT x%d CHECK (%s)", i, expr))
	}
	exec("ALTER TABLE checks " + strings.Join(checks, ", "))
	for i, expr := range mariaConditions {
		t.Run(expr, func(t *testing.T) {
			var text string
			if err := db.QueryRow("SELECT check_clause FROM information_schema.check_constraints WHERE constraint_schema = database() AND constraint_name = ?", fmt.Sprint("x", i)).Scan(&text); err != nil {
				t.Fatal(err)
			}
			e, err := schema.ParseExpr(schema.MySQL, text)
			if err != nil {
				t.Fatal(err)
			}
			narrowed := schema.Narrow(e)
			answers, err := db.Query("SELECT (" + expr + ") <> 0 FROM t ORDER BY id")
			if err != nil {
				t.Fatal(err)
			}
			defer answers.Close()
			counts := map[string]int{}
			for row := 0; answers.Next(); row++ {
				var want *bool
				if err := answers.Scan(&want); err != nil {
					t.Fatal(err)
				}
				get := func(column string) schema.Value {
					for f := range fields {
						if fields[f].name == column {
							return mariaCell(f, row).value
						}
					}
					panic("no column " + column)
				}
				got, err := e.Eval(get, time.Now())
				if err != nil || got.IsNull() != (want == nil) || want != nil && got.IsFalse() == *want {
					var of []string
					for _, c := range e.Columns() {
						of = append(of, c+"="+get(c).String())
					}
					t.Fatalf("%s\nfor %s is %v (error %v), not %v", text, strings.Join(of, ", "), got, err, want)
				}
				counts[got.String()]++
				for _, r := range narrowed {
					if v := get(r.Column); !r.Allows(v) && !got.IsFalse() {
						t.Errorf("%s\nis %v where %s = %v, which %+v does not allow", text, got, r.Column, v, r)
					}
				}
			}
			if err := answers.Err(); err != nil {
				t.Fatal(err)
			}
			if len(counts) < 2 && !strings.Contains(expr, "json_valid") {
				t.Errorf("%s is %v: rows that are told apart are needed", expr, counts)
			}
		})
	}
}

// mariaCell is the cell without what MariaDB does not have: it knows no infinite
// dates.
func mariaCell(f, row int) cell {
	c := cellAt(f, row)
	if c.sql == "'infinity'" {
		return null
	}
	return c
}
