package schema

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Order gives the tables so that a table stands behind those that it refers to.
// Where tables refer to one another in a circle the order among them is by name,
// and cyclic has every reference that points forward or to its own table, as
// "table.constraint".
func (s *Schema) Order() (tables []*Table, cyclic map[string]bool) {
	const (
		unseen = iota
		open
		done
	)
	state := map[*Table]int{}
	cyclic = map[string]bool{}
	var visit func(t *Table)
	visit = func(t *Table) {
		state[t] = open
		for _, fk := range t.ForeignKeys {
			to, ok := s.Table(fk.Table)
			if !ok {
				continue
			}
			switch {
			case to == t || state[to] == open:
				cyclic[t.QName()+"."+fk.Name] = true
			case state[to] == unseen:
				visit(to)
			}
		}
		state[t] = done
		tables = append(tables, t)
	}
	for _, t := range s.Tables {
		if state[t] == unseen {
			visit(t)
		}
	}
	return tables, cyclic
}

// Fingerprint is a hash of everything that rows must satisfy. Comments, indexes
// and the server's version are not in it.
func (s *Schema) Fingerprint() string {
	h := sha256.New()
	for _, t := range s.Tables {
		bare := *t
		bare.Comment, bare.Indexes = "", nil
		bare.Columns = slices.Clone(t.Columns)
		for i := range bare.Columns {
			bare.Columns[i].Comment = ""
		}
		b, err := json.Marshal(bare)
		if err != nil {
			panic("schema: internal error: " + err.Error())
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Difference is one way in which two schemas are not the same.
type Difference struct {
	Table  string
	Column string // empty: the table as a whole
	What   string // a phrase: "is new", "is gone", "was integer and is bigint"
}

// String is "table.column what".
func (d Difference) String() string {
	if d.Column == "" {
		return d.Table + " " + d.What
	}
	return d.Table + "." + d.Column + " " + d.What
}

// Diff lists what has changed in tables and columns from one schema to another,
// in the order of tables and columns.
func Diff(from, to *Schema) []Difference {
	var out []Difference
	for _, t := range to.Tables {
		old, ok := from.Table(t.QName())
		if !ok {
			out = append(out, Difference{Table: t.QName(), What: "is new"})
			continue
		}
		for _, c := range t.Columns {
			was, _ := old.Column(c.Name)
			switch {
			case was == nil:
				out = append(out, Difference{t.QName(), c.Name, "is new"})
			case was.Type.SQL != c.Type.SQL:
				out = append(out, Difference{t.QName(), c.Name, fmt.Sprintf("was %s and is %s", was.Type.SQL, c.Type.SQL)})
			case was.NotNull != c.NotNull:
				what := "may be NULL no more"
				if was.NotNull {
					what = "may be NULL now"
				}
				out = append(out, Difference{t.QName(), c.Name, what})
			}
		}
		for _, c := range old.Columns {
			if is, _ := t.Column(c.Name); is == nil {
				out = append(out, Difference{t.QName(), c.Name, "is gone"})
			}
		}
	}
	for _, t := range from.Tables {
		if _, ok := to.Table(t.QName()); !ok {
			out = append(out, Difference{Table: t.QName(), What: "is gone"})
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return cmp.Compare(a.Table, b.Table) })
	return out
}
