package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// check is a CHECK constraint, and whether it was declared with a column, whose
// name it has then.
type check struct {
	schema.Check
	column bool
}

// readChecks reads CHECK constraints. Those of columns come to the table with the
// columns.
func (r *reader) readChecks(ctx context.Context) error {
	query := `SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, LEVEL = 'Column', 0 FROM information_schema.CHECK_CONSTRAINTS
		WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY CONSTRAINT_NAME`
	if !r.db.maria {
		query = `SELECT t.TABLE_NAME, k.CONSTRAINT_NAME, k.CHECK_CLAUSE, 0, t.ENFORCED = 'NO' FROM information_schema.CHECK_CONSTRAINTS k
			JOIN information_schema.TABLE_CONSTRAINTS t ON t.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = k.CONSTRAINT_NAME
			WHERE k.CONSTRAINT_SCHEMA = DATABASE() AND t.CONSTRAINT_TYPE = 'CHECK' ORDER BY k.CONSTRAINT_NAME`
	}
	return r.session.each(ctx, query, func(row *sql.Rows) error {
		var table string
		var c check
		if err := row.Scan(&table, &c.Name, &c.Expr, &c.column, &c.NotValid); err != nil {
			return err
		}
		rel := r.tables[table]
		if rel == nil {
			return nil
		}
		c.Expr = r.db.expression(c.Expr)
		if c.column {
			r.checks[table] = append(r.checks[table], c)
		} else {
			rel.table.Checks = append(rel.table.Checks, c.Check)
		}
		return nil
	})
}

type partRow struct {
	Table, Index, Column, Expression, Type string
	Unique                                 bool
	Prefix                                 int
	Descending                             bool
}

func (r *reader) readIndexes(ctx context.Context) error {
	expression := "''"
	if !r.db.maria {
		expression = "COALESCE(EXPRESSION, '')"
	}
	var open []partRow
	end := func() {
		if len(open) > 0 {
			r.addIndex(open)
		}
		open = nil
	}
	err := r.session.each(ctx, `
		SELECT TABLE_NAME, INDEX_NAME, COALESCE(COLUMN_NAME, ''), `+expression+`, INDEX_TYPE, NON_UNIQUE = 0, COALESCE(SUB_PART, 0), COALESCE(COLLATION, '') = 'D'
		FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX`,
		func(row *sql.Rows) error {
			var p partRow
			if err := row.Scan(&p.Table, &p.Index, &p.Column, &p.Expression, &p.Type, &p.Unique, &p.Prefix, &p.Descending); err != nil {
				return err
			}
			if len(open) > 0 && (open[0].Table != p.Table || open[0].Index != p.Index) {
				end()
			}
			open = append(open, p)
			return nil
		})
	end()
	return err
}

// addIndex adds an index as the key or the mere index that it is.
func (r *reader) addIndex(parts []partRow) {
	rel := r.tables[parts[0].Table]
	if rel == nil {
		return
	}
	name := parts[0].Index
	var key []schema.KeyPart
	var written, columns, leading []string
	for i, p := range parts {
		part, sql := schema.KeyPart{Column: p.Column, Expr: r.db.expression(p.Expression)}, quote(p.Column)
		if p.Column == "" {
			sql = "(" + part.Expr + ")"
		} else {
			columns = append(columns, p.Column)
		}
		// A spatial index says how many bytes of a shape's box it keeps.
		if p.Prefix > 0 && p.Type != "SPATIAL" {
			part.Prefix = p.Prefix
			sql += fmt.Sprintf("(%d)", p.Prefix)
		}
		if p.Descending {
			sql += " DESC"
		}
		if p.Column != "" && part.Prefix == 0 && len(leading) == i && p.Type == "BTREE" {
			leading = append(leading, p.Column)
		}
		key, written = append(key, part), append(written, sql)
	}
	if len(leading) > 0 {
		rel.leading = append(rel.leading, leading)
	}
	list := "(" + strings.Join(written, ", ") + ")"
	t := rel.table
	switch {
	case name == "PRIMARY":
		t.Keys = append(t.Keys, schema.Key{Name: name, Primary: true, Constraint: true, Parts: key, Definition: "PRIMARY KEY " + list})
	case parts[0].Unique:
		t.Keys = append(t.Keys, schema.Key{Name: name, Constraint: true, Parts: key, Definition: "UNIQUE KEY " + quote(name) + " " + list})
	default:
		kind := ""
		if parts[0].Type == "FULLTEXT" || parts[0].Type == "SPATIAL" {
			kind = parts[0].Type + " "
		}
		t.Indexes = append(t.Indexes, schema.Index{Name: name, Columns: columns, Definition: "CREATE " + kind + "INDEX " + quote(name) + " ON " + quote(t.Name) + " " + list})
	}
}

const foreignKeysQuery = `
	SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, IF(k.REFERENCED_TABLE_SCHEMA = DATABASE(), '', k.REFERENCED_TABLE_SCHEMA), k.REFERENCED_TABLE_NAME,
		k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE
	FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
		ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
	WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`

func (r *reader) readForeignKeys(ctx context.Context) error {
	updates := map[string]string{} // rules, by table and constraint
	err := r.session.each(ctx, foreignKeysQuery, func(row *sql.Rows) error {
		var table, name, column, database, to, toColumn, onDelete, onUpdate string
		if err := row.Scan(&table, &name, &column, &database, &to, &toColumn, &onDelete, &onUpdate); err != nil {
			return err
		}
		rel := r.tables[table]
		if rel == nil {
			return nil
		}
		keys := &rel.table.ForeignKeys
		if n := len(*keys); n == 0 || (*keys)[n-1].Name != name {
			*keys = append(*keys, schema.ForeignKey{Name: name, Table: (&schema.Table{Schema: database, Name: to}).QName(), OnDelete: action(onDelete)})
		}
		k := &(*keys)[len(*keys)-1]
		k.Columns, k.To = append(k.Columns, column), append(k.To, toColumn)
		updates[table+"."+name] = action(onUpdate)
		return nil
	})
	for _, rel := range r.tables {
		for i := range rel.table.ForeignKeys {
			k := &rel.table.ForeignKeys[i]
			k.Definition = fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", quoted(k.Columns), tableName(k.Table), quoted(k.To))
			if k.OnDelete != "" {
				k.Definition += " ON DELETE " + k.OnDelete
			}
			if rule := updates[rel.table.Name+"."+k.Name]; rule != "" {
				k.Definition += " ON UPDATE " + rule
			}
		}
	}
	return err
}

// action is what a rule does; empty: nothing. NO ACTION and RESTRICT are the same
// here, and servers print the one or the other.
func action(rule string) string {
	if rule == "NO ACTION" || rule == "RESTRICT" {
		return ""
	}
	return rule
}

// tableName is a table's QName as SQL writes it.
func tableName(qname string) string {
	if database, name, ok := strings.Cut(qname, "."); ok {
		return quote(database) + "." + quote(name)
	}
	return quote(qname)
}

func quoted(columns []string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = quote(c)
	}
	return strings.Join(out, ", ")
}
