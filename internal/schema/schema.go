// Package schema is what a relational database says of itself: tables, columns,
// types, and every constraint that rows must satisfy.
//
// A [Schema] is read from a server's catalogue, or from an INFORMATION_SCHEMA,
// by the package that speaks to that server. It is a value: nothing in here opens
// a connection. It can be fingerprinted ([Schema.Fingerprint]), compared
// ([Diff]), and it knows in which order tables can be filled
// ([Schema.Order]).
//
// [ParseExpr] reads the expressions of CHECK constraints as PostgreSQL prints
// them (pg_get_expr) and as MariaDB does, and [Expr.Eval] evaluates them as the
// server would, with SQL's three values. What it does not understand it says.
package schema

// Engine is the kind of server that a schema comes from.
type Engine string

// The engines.
const (
	Postgres Engine = "postgres"
	MySQL    Engine = "mysql" // MariaDB too
)

// Schema is one database's tables and what they need.
type Schema struct {
	Engine  Engine `json:"engine"`
	Version string `json:"version"` // the server's, as in "15.18"
	// Tables are sorted by name. Partitions stand behind their parents as tables
	// of their own; views and foreign tables are not in here.
	Tables []*Table `json:"tables"`
}

// Table is one table.
type Table struct {
	// Schema is empty for the default one: "public", or MySQL's database.
	Schema  string   `json:"schema,omitempty"`
	Name    string   `json:"name"`
	Comment string   `json:"comment,omitempty"`
	Columns []Column `json:"columns"` // in the table's order

	// Keys are primary keys, unique constraints and unique indexes.
	Keys        []Key        `json:"keys,omitempty"`
	ForeignKeys []ForeignKey `json:"foreignKeys,omitempty"`
	// Checks are the table's own CHECK constraints. Those of domains stand at
	// their columns.
	Checks     []Check     `json:"checks,omitempty"`
	Exclusions []Exclusion `json:"exclusions,omitempty"`
	// Indexes are the indexes that no key stands for.
	Indexes  []Index   `json:"indexes,omitempty"`
	Triggers []Trigger `json:"triggers,omitempty"`

	// Partitioned is set for a table whose rows lie in partitions.
	Partitioned *Partitioning `json:"partitioned,omitempty"`
	// PartitionOf is set for a partition.
	PartitionOf *Partition `json:"partitionOf,omitempty"`
}

// QName is the table's name as profiles and messages write it: "orders", or
// "audit.orders" outside of the default schema.
func (t *Table) QName() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Column is one column.
type Column struct {
	Name    string `json:"name"`
	Type    Type   `json:"type"`
	NotNull bool   `json:"notNull,omitempty"`
	// Default is the default's expression as the server prints it; empty: none.
	Default string `json:"default,omitempty"`
	// Generated is the expression of a generated column, which nobody may write.
	Generated string `json:"generated,omitempty"`
	// Identity is "always" or "by default" for an identity column, and "auto" for
	// AUTO_INCREMENT.
	Identity string `json:"identity,omitempty"`
	// Sequence is the sequence that the column owns or takes its default from,
	// as one writes it in SQL.
	Sequence string `json:"sequence,omitempty"`
	Comment  string `json:"comment,omitempty"`
	// CaseInsensitive is true where values that differ in case alone are equal:
	// citext, and MySQL's collations that end in _ci.
	CaseInsensitive bool `json:"caseInsensitive,omitempty"`
}

// Kind is a family of types whose values are made and measured alike.
type Kind string

// The kinds.
const (
	Bool      Kind = "bool"
	Int       Kind = "int"     // Size is 1, 2, 3, 4 or 8 bytes
	Float     Kind = "float"   // Size is 4 or 8
	Decimal   Kind = "decimal" // Precision and Scale, where they are bounded
	Text      Kind = "text"    // Length where it is bounded, in characters
	Bytes     Kind = "bytes"   // Length in bytes
	Date      Kind = "date"
	Time      Kind = "time"        // of day, without a zone
	Timestamp Kind = "timestamp"   // without a zone
	Instant   Kind = "timestamptz" // with one; MySQL's TIMESTAMP
	Interval  Kind = "interval"
	UUID      Kind = "uuid"
	JSON      Kind = "json" // json and jsonb
	Enum      Kind = "enum" // Labels; MySQL's SET is Other
	Array     Kind = "array"
	Range     Kind = "range" // and multirange; Elem is the bound's type
	Inet      Kind = "inet"  // inet, cidr, macaddr
	Bits      Kind = "bits"
	Other     Kind = "other" // anything else; its values are text in the server's syntax
)

// Type is a column's type.
type Type struct {
	// SQL is the type as one declares it: "character varying(255)",
	// "numeric(10,2)", "integer[]".
	SQL string `json:"sql"`
	// Name is the bare name of the base type, domains resolved: "varchar",
	// "numeric", "int4", "jsonb". A range's is "int4range", an array's "_int4".
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Unsigned integers exist in MySQL.
	Unsigned bool `json:"unsigned,omitempty"`
	// Size, in bytes, of integers and floats.
	Size int `json:"size,omitempty"`
	// Length bounds texts (characters), bytes and bits; 0: unbounded. Fixed is
	// char(n), bit(n).
	Length int  `json:"length,omitempty"`
	Fixed  bool `json:"fixed,omitempty"`
	// Precision and Scale of decimals; Precision 0: unbounded.
	Precision int `json:"precision,omitempty"`
	Scale     int `json:"scale,omitempty"`
	// Fraction is how many digits of a second times keep; -1: all six.
	Fraction int `json:"fraction,omitempty"`
	// Charset is the character set of a MySQL column's texts, as in "latin1" or
	// "utf8mb3", where it does not have every character of Unicode.
	Charset string `json:"charset,omitempty"`
	// Labels of enums, in order.
	Labels []string `json:"labels,omitempty"`
	// Elem is the element's type of arrays, the bound's of ranges.
	Elem *Type `json:"elem,omitempty"`
	// Domain is the domain's name, and Checks its constraints, where the value
	// is called VALUE. A domain of a domain has the checks of both.
	Domain string  `json:"domain,omitempty"`
	Checks []Check `json:"checks,omitempty"`
}

// Key is a set of columns of which no two rows have the same values.
type Key struct {
	Name    string `json:"name"`
	Primary bool   `json:"primary,omitempty"`
	// Parts are the key's columns or expressions, in order.
	Parts []KeyPart `json:"parts"`
	// Where is the predicate of a partial unique index.
	Where string `json:"where,omitempty"`
	// NullsEqual is NULLS NOT DISTINCT.
	NullsEqual bool `json:"nullsEqual,omitempty"`
	Deferrable bool `json:"deferrable,omitempty"`
	// Constraint is false for a mere index.
	Constraint bool `json:"constraint,omitempty"`
	// Definition is what makes the key again: the constraint's, or the whole
	// CREATE INDEX statement.
	Definition string `json:"definition,omitempty"`
	// Invalid is an index that production failed to build.
	Invalid bool `json:"invalid,omitempty"`
}

// KeyPart is a column, or an expression such as lower(email).
type KeyPart struct {
	Column string `json:"column,omitempty"`
	Expr   string `json:"expr,omitempty"`
	// Prefix is how many characters of it count, in MySQL; 0: all.
	Prefix int `json:"prefix,omitempty"`
}

// Columns are the key's columns, or nil when a part is an expression.
func (k Key) Columns() []string {
	var out []string
	for _, p := range k.Parts {
		if p.Column == "" {
			return nil
		}
		out = append(out, p.Column)
	}
	return out
}

// ForeignKey is a reference from columns to a key of a table.
type ForeignKey struct {
	Name    string   `json:"name,omitempty"`
	Columns []string `json:"columns"`
	// Table is the referenced table's QName.
	Table string   `json:"table"`
	To    []string `json:"to"`
	// MatchFull: either all columns are null or none.
	MatchFull  bool   `json:"matchFull,omitempty"`
	Deferrable bool   `json:"deferrable,omitempty"`
	OnDelete   string `json:"onDelete,omitempty"` // "CASCADE", "SET NULL", …; empty: NO ACTION
	// NotValid: production has never proven it, so rows may break it.
	NotValid   bool   `json:"notValid,omitempty"`
	Definition string `json:"definition,omitempty"`
	// Inferred references are in no catalogue: names, types and values say so.
	Inferred bool `json:"inferred,omitempty"`
}

// Check is a CHECK constraint.
type Check struct {
	Name     string `json:"name,omitempty"`
	Expr     string `json:"expr"` // as the server prints it, without CHECK
	NotValid bool   `json:"notValid,omitempty"`
}

// Exclusion is an EXCLUDE constraint: no two rows for which all operators hold.
type Exclusion struct {
	Name       string          `json:"name"`
	Method     string          `json:"method"` // "gist"
	Parts      []ExclusionPart `json:"parts"`
	Where      string          `json:"where,omitempty"`
	Definition string          `json:"definition"`
}

// ExclusionPart is one element WITH operator of an EXCLUDE constraint.
type ExclusionPart struct {
	Column   string `json:"column,omitempty"`
	Expr     string `json:"expr,omitempty"`
	Operator string `json:"operator"` // "=", "&&"
}

// Index is an index that is no key.
type Index struct {
	Name       string `json:"name"`
	Definition string `json:"definition"` // the CREATE INDEX statement
	Invalid    bool   `json:"invalid,omitempty"`
	// Columns are the indexed columns, those that are expressions left out.
	Columns []string `json:"columns,omitempty"`
}

// Trigger is a trigger of users, not of constraints.
type Trigger struct {
	Name    string `json:"name"`
	Timing  string `json:"timing"` // "BEFORE INSERT OR UPDATE ROW"
	Enabled bool   `json:"enabled"`
}

// Partitioning is how a table's rows are divided.
type Partitioning struct {
	Strategy string    `json:"strategy"` // "range", "list", "hash"
	Parts    []KeyPart `json:"parts"`
}

// Partition is which of its parent's rows a partition holds.
type Partition struct {
	Parent string `json:"parent"` // QName
	Bound  string `json:"bound"`  // as in "FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')", or "DEFAULT"
}

// Table finds a table by its QName.
func (s *Schema) Table(qname string) (*Table, bool) {
	for _, t := range s.Tables {
		if t.QName() == qname {
			return t, true
		}
	}
	return nil, false
}

// Column finds a column by name.
func (t *Table) Column(name string) (*Column, int) {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i], i
		}
	}
	return nil, -1
}

// Primary is the table's primary key.
func (t *Table) Primary() (Key, bool) {
	for _, k := range t.Keys {
		if k.Primary {
			return k, true
		}
	}
	return Key{}, false
}

// Leaf reports whether rows lie in the table itself.
func (t *Table) Leaf() bool { return t.Partitioned == nil }
