package dataset

import (
	"bytes"
	"context"
	"fmt"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/synth"
)

// keep finds the tables that stay as they are, and reads of them what the others
// refer to.
func keep(ctx context.Context, db Database, s *schema.Schema, f *Files) (map[string]synth.Kept, error) {
	defer db.Renew() // a snapshot that stays open would be in a load's way
	out := map[string]synth.Kept{}
	for _, t := range s.Tables {
		if t.PartitionOf != nil || len(t.Columns) == 0 {
			continue
		}
		if f.Profile != nil {
			if _, described := f.Profile.Table(t.QName()); described {
				continue
			}
		}
		columns := referred(s, t.QName(), f)
		k := synth.Kept{Values: map[string][][]byte{}}
		q := measure.Query{Table: t.QName(), Columns: columns}
		if len(columns) == 0 {
			q.Columns = []string{t.Columns[0].Name}
		}
		if f.Profile == nil {
			q.Limit, q.Rows = 1, 1 // the first row: is there one at all
		}
		read := func() error {
			k.Rows = 0
			return db.Sample(ctx, q, func(r measure.Row) error {
				k.Rows++
				for i, name := range columns {
					k.Values[name] = append(k.Values[name], bytes.Clone(r[i]))
				}
				return nil
			})
		}
		err := read()
		if err == nil && f.Profile == nil && k.Rows > 0 {
			q.Limit, q.Rows = 0, 0
			clear(k.Values)
			err = read()
		}
		if err != nil {
			return nil, fmt.Errorf("read what table %q holds: %w", t.QName(), err)
		}
		if f.Profile != nil || k.Rows > 0 {
			for _, name := range columns {
				if k.Values[name] == nil {
					k.Values[name] = [][]byte{}
				}
			}
			out[t.QName()] = k
		}
	}
	return out, nil
}

// referred are the columns of a table that references lead to.
func referred(s *schema.Schema, table string, f *Files) []string {
	var out []string
	add := func(columns []string) {
		for _, c := range columns {
			found := false
			for _, have := range out {
				found = found || have == c
			}
			if !found {
				out = append(out, c)
			}
		}
	}
	for _, t := range s.Tables {
		for _, fk := range t.ForeignKeys {
			if fk.Table == table {
				add(fk.To)
			}
		}
	}
	if f.Profile != nil {
		for i := range f.Profile.Tables {
			for _, r := range f.Profile.Tables[i].References {
				if r.Table == table {
					add(r.To)
				}
			}
		}
	}
	return out
}
