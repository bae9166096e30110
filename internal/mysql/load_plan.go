package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// plan is what is taken away before rows come, and how it is put back.
type plan struct {
	// indexes are one step for each big table, and their singles one for each of
	// its indexes, for the journal.
	indexes  []step
	singles  []step
	triggers []step
}

// plan reads what has to go while rows come.
func (l *loader) plan(ctx context.Context, s *session) (plan, error) {
	var p plan
	for _, t := range l.tables {
		rel := l.known.tables[t.name]
		if !t.fire {
			for _, trigger := range rel.table.Triggers {
				step, err := triggerStep(ctx, s, t.name, trigger.Name)
				if err != nil {
					return plan{}, fmt.Errorf("read trigger %q of table %q: %w", trigger.Name, t.name, err)
				}
				p.triggers = append(p.triggers, step)
			}
		}
		if t.rows.Rows() < l.IndexRows || len(rel.table.Indexes) == 0 {
			continue
		}
		definitions, err := indexDefinitions(ctx, s, t.name)
		if err != nil {
			return plan{}, fmt.Errorf("read the definition of table %q: %w", t.name, err)
		}
		var adds, drops []string
		for _, name := range definitions.names {
			if !l.movable(rel, name) {
				continue
			}
			add := "ADD " + definitions.of[name]
			adds, drops = append(adds, add), append(drops, "DROP INDEX "+quote(name))
			p.singles = append(p.singles, step{kind: "index", table: t.name, name: name, restore: "ALTER TABLE " + quote(t.name) + " " + add})
		}
		if len(adds) > 0 {
			alter := "ALTER TABLE " + quote(t.name) + " "
			p.indexes = append(p.indexes, step{
				kind: "index", table: t.name, name: strings.Join(definitions.names, ", "), restore: alter + strings.Join(adds, ", "), drop: alter + strings.Join(drops, ", "),
			})
		}
	}
	return p, nil
}

// movable reports whether an index may go while rows come: it is no key, and no
// foreign key from or to its columns could need it.
func (l *loader) movable(rel *relation, name string) bool {
	i := slices.IndexFunc(rel.table.Indexes, func(x schema.Index) bool { return x.Name == name })
	if i < 0 || len(rel.table.Indexes[i].Columns) == 0 {
		return false
	}
	first := rel.table.Indexes[i].Columns[0]
	if c, _ := rel.table.Column(first); c == nil || c.Identity != "" {
		return false // AUTO_INCREMENT needs an index
	}
	for _, k := range rel.table.ForeignKeys {
		if slices.Contains(k.Columns, first) {
			return false
		}
	}
	for _, other := range l.known.tables {
		for _, k := range other.table.ForeignKeys {
			if k.Table == rel.table.Name && slices.Contains(k.To, first) {
				return false
			}
		}
	}
	return true
}

// definitions are a table's indexes as SHOW CREATE TABLE prints them.
type definitions struct {
	names []string
	of    map[string]string
}

var indexLine = regexp.MustCompile("^  ((?:UNIQUE |FULLTEXT |SPATIAL )?KEY `((?:[^`]|``)+)` .*?),?$")

func indexDefinitions(ctx context.Context, s *session, table string) (definitions, error) {
	var name, create string
	if err := s.conn.QueryRowContext(ctx, "SHOW CREATE TABLE "+quote(table)).Scan(&name, &create); err != nil {
		return definitions{}, err
	}
	out := definitions{of: map[string]string{}}
	for line := range strings.Lines(create) {
		if m := indexLine.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			index := strings.ReplaceAll(m[2], "``", "`")
			out.names, out.of[index] = append(out.names, index), m[1]
		}
	}
	return out, nil
}

// triggerStep makes a trigger again as it is.
func triggerStep(ctx context.Context, s *session, table, name string) (step, error) {
	out := step{kind: "trigger", table: table, name: name, drop: "DROP TRIGGER " + quote(name)}
	err := s.each(ctx, "SHOW CREATE TRIGGER "+quote(name), func(row *sql.Rows) error {
		columns, err := row.Columns()
		if err != nil {
			return err
		}
		values, to := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := row.Scan(to...); err != nil {
			return err
		}
		out.sqlMode, out.restore = values[1].String, values[2].String
		return nil
	})
	if err == nil && out.restore == "" {
		err = fmt.Errorf("the server does not show what trigger %q does", name)
	}
	return out, err
}

// begin writes the journal, takes away what the plan says, and empties the tables
// where that was asked for.
func (p plan) begin(ctx context.Context, s *session, l *loader) error {
	if err := writeJournal(ctx, s, l.tables, append(slices.Clone(p.singles), p.triggers...)); err != nil {
		return err
	}
	if l.Truncate {
		for _, t := range l.tables {
			if err := s.truncate(ctx, t.name); err != nil {
				return err
			}
		}
	}
	for _, steps := range [][]step{p.triggers, p.indexes} {
		for _, t := range steps {
			if err := s.exec(ctx, t.drop); err != nil {
				return failed(fmt.Sprintf("take away %s %q of table %q", t.kind, t.name, t.table), err)
			}
		}
	}
	return nil
}

// finish puts triggers back and ends the journal, after which the load is done.
func (p plan) finish(ctx context.Context, s *session) error {
	for _, t := range p.triggers {
		if err := t.run(ctx, s); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, "DROP TABLE "+journal); err != nil {
		return fmt.Errorf("end the journal: %w", err)
	}
	return nil
}
