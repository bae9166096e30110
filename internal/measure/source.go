package measure

import (
	"context"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Source is a database that is measured. It only reads. The packages that speak
// to servers implement it.
type Source interface {
	Schema() *schema.Schema
	// Info is what the server says of itself as a whole.
	Info(ctx context.Context) (Info, error)
	// Statistics are what the planner knows, for every table; it reads no row.
	// A table without statistics is not in the map.
	Statistics(ctx context.Context) (map[string]Statistics, error)
	// Sample reads rows of a table, calls each for every row, and says how many
	// rows there are in the table as far as it knows.
	Sample(ctx context.Context, q Query, each func(Row) error) error
	// SQL is the statement that Sample would run, for people who want to read it
	// first.
	SQL(q Query) string
	// Statements are the top statements, where the server keeps them.
	Statements(ctx context.Context, n int) ([]profile.DataStatement, error)
}

// Info is what a server says of itself.
type Info struct {
	Version, Encoding, Collation, TimeZone string
	Now                                    time.Time
	// Superuser or a role that may write: profiling with it is refused unless
	// asked for.
	Role     string
	CanWrite []string // what it may write, as in "orders", at most a few
	// ReadOnlyGrants are the statements that make a role that may only read.
	ReadOnlyGrants []string
	// Denied are tables that the role may not read.
	Denied []string
}

// Statistics is what the planner knows of a table.
type Statistics struct {
	Rows  int64 // estimated
	Pages int64
	Bytes int64
	// Analyzed is when the statistics were taken; zero: never. Stale is the share
	// of rows that have changed since.
	Analyzed time.Time
	Stale    float64
	Churn    profile.DataChurn
	Indexes  []profile.DataIndex
	Columns  map[string]ColumnStatistics
}

// ColumnStatistics is what the planner knows of a column. Values in here are
// production's own and never leave this process.
type ColumnStatistics struct {
	Null        float64
	Width       int
	Distinct    float64 // negative: a share of the rows, as in pg_stats
	Correlation float64
	Sequence    int64 // how far the column's sequence has gone; 0: none or not known
}

// Query is what one reading of a table asks for.
type Query struct {
	Table string // QName
	// Columns of the table, in the order in which rows have them.
	Columns []string
	// Parents are columns of rows that references of the table lead to. They come
	// behind Columns; all of one parent are NULL where there is none, and Found
	// says which.
	Parents []ParentColumns
	// Children are references of other tables to this one, whose rows are
	// counted. They come last, each a number.
	Children []ChildCount
	// Limit is how many rows to read at most, spread evenly over the table; 0: all.
	Limit int64
	// Rows is the estimate of how many there are.
	Rows int64
	Seed uint64
}

// ParentColumns are columns of the row that a reference leads to.
type ParentColumns struct {
	Reference schema.ForeignKey
	Columns   []string
}

// ChildCount asks for the number of rows of Table that refer to a row through
// the Reference.
type ChildCount struct {
	Table     string
	Reference schema.ForeignKey
}

// Row is one row, each value in the server's text form, nil being NULL. It is
// valid until the next. For each of the query's Parents one value more, "t" or
// nil, stands before that parent's columns: whether there is such a row.
type Row [][]byte
