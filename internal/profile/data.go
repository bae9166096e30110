package profile

import (
	"slices"
	"time"
)

// Data is a data profile: the shape of what a production database holds, and
// none of its values but those that at least K rows share and that are neither
// personal nor secret. [ReadData] and [Data.Write] know the file.
type Data struct {
	Description string
	Source      DataSource
	Privacy     DataPrivacy
	Tables      []DataTable // by name
	// Statements are the top statements of production, normalised ($1 for every
	// literal), for comparing plans.
	Statements []DataStatement
}

// DataSource says what was profiled, and how.
type DataSource struct {
	Engine  string // "postgres", "mysql"
	Version string
	// Schema is the schema's fingerprint.
	Schema string
	Taken  time.Time // to the hour
	// Sample is how many rows of a table were read at most; 0: all.
	Sample int64
	// Encoding, Collation and TimeZone are the database's own.
	Encoding, Collation, TimeZone string
}

// DataPrivacy is what the profile promises.
type DataPrivacy struct {
	// K is how many rows a value must be held by to be listed.
	K int
	// Epsilon is the budget of differential privacy of the counts; 0: none.
	Epsilon float64
	// Listed is how many values are in the file, Withheld how many were common
	// enough but personal, secret, or free text.
	Listed, Withheld int
}

// DataTable is the shape of one table.
type DataTable struct {
	Name string // schema.Table.QName
	Rows int64
	// Pages is the table's size in pages of 8 KiB; 0: not known.
	Pages   int64
	Indexes []DataIndex
	Churn   DataChurn
	Columns []DataColumn // in the table's order
	// References are the table's own, declared and inferred.
	References []DataReference
	// Classes are the kinds of rows that many rows are; nil: none stand out.
	Classes *DataClasses
	// Depends say which columns follow another. Each column, and each
	// reference's number of children, follows at most one, so that they make a
	// forest; what is not in here is independent.
	Depends []DataDependence
	// Orders are pairs of columns of which one is mostly not above the other.
	Orders []DataOrder
	// Keys are sets of columns that look like a key and almost are.
	Keys []DataKey
}

// DataIndex is an index's size.
type DataIndex struct {
	Name  string
	Pages int64
}

// DataChurn is how a table changes.
type DataChurn struct {
	// Inserts, Updates and Deletes per hour since the statistics began.
	Inserts, Updates, Deletes float64
	Dead                      float64 // dead rows as a share of live ones
	// Growth is the net growth in rows per hour.
	Growth float64
}

// DataColumn is a mixture: NULL, the listed values, and the rest, which Numbers,
// Times, Text, JSON or Array describe.
type DataColumn struct {
	Name string
	Type string // as SQL writes it
	Null float64
	// Distinct is how many values there are, NULL aside; 0: not known.
	Distinct int64
	// Unique: no value occurs twice.
	Unique bool
	// Private says why no value is listed, as in "personal: email"; empty where
	// values may be listed.
	Private string
	// Meaning is what the column seems to hold: see package words; empty: unknown.
	Meaning string
	Values  []DataValue // the most common first; shares are of all rows

	Numbers *DataNumbers // of the rest
	Times   *DataTimes
	Text    *DataText
	JSON    *DataJSON
	Array   *DataArray
	// Artifacts are the odd things in the column, by name (package artifact),
	// with the share of all rows that have them.
	Artifacts []DataShare
	// Correlation with the physical order, from -1 to 1.
	Correlation float64
	// Width is the mean width in bytes; 0: not known.
	Width int
	// Sequence is how far the column's sequence has gone; 0: none.
	Sequence int64
}

// DataValue is a value that many rows hold, in the server's text form.
type DataValue struct {
	Value string
	Share float64
}

// DataShare is a named share.
type DataShare struct {
	Name  string
	Share float64
}

// DataNumbers is a distribution of numbers. Dates and times inside JSON are
// texts, not numbers.
type DataNumbers struct {
	// Quantiles are the values at even ranks, the first and last included, with
	// at least K rows at and beyond either end. Linear in between. Fewer than two
	// times K rows have three, the least, the middle and the greatest value, to one
	// digit, or none where the column is private.
	Quantiles []float64
	// Scale is how many digits stand behind the point in most rows.
	Scale int
	// Step is the greatest common divisor where it is more than one unit.
	Step float64
}

// DataTimes is a distribution of dates and times.
type DataTimes struct {
	// Quantiles as of numbers, relative to when the profile was taken, negative
	// in the past. For times of day: since midnight.
	Quantiles []time.Duration
	// Unit is what the values are whole multiples of: "day", "hour", "minute",
	// "second", "ms", "us".
	Unit string
	// Week is the share of each of the week's 168 hours, from Monday 00:00 UTC;
	// nil where it is even or not known.
	Week []float64
}

// DataText is the shape of texts.
type DataText struct {
	// Length are quantiles of the number of characters.
	Length []int
	// Formats are the formats that texts match: "email", "uuid", "url", "phone",
	// "iban", "ipv4", "ipv6", "hex", "base64", "date", "timestamp", "integer",
	// "decimal", "slug", "json", "html", "path", "domain", "sentence", "word".
	Formats []DataShare
	// Shapes are patterns that at least K rows share: A a letter in upper case, a
	// one in lower case, 9 a digit, all else itself; runs of more than four are
	// written A+, a+, 9+.
	Shapes []DataValue
	// Scripts are Unicode's scripts of the letters: "Latin", "Cyrillic", "Han".
	Scripts []DataShare
	// Words are quantiles of the number of words.
	Words []int
}

// DataJSON is the structure of documents, or of one value in them.
type DataJSON struct {
	// Kinds: "object", "array", "string", "number", "bool", "null".
	Kinds []DataShare
	Keys  []DataJSONKey // of objects
	// Open: objects hold keys that are data themselves, too many or too rare to list.
	Open   bool
	Items  *DataJSON // of arrays
	Length []int     // quantiles of arrays' lengths
	// Values, Numbers and Text describe scalars.
	Values  []DataValue
	Numbers *DataNumbers
	Text    *DataText
}

// DataJSONKey is one key of objects.
type DataJSONKey struct {
	Name  string
	Share float64 // of objects that have it
	Value DataJSON
}

// DataArray is the shape of arrays.
type DataArray struct {
	Length []int // quantiles
	Item   DataColumn
}

// DataReference is a foreign key's fan-out.
type DataReference struct {
	Columns []string
	Table   string // referenced, its QName
	To      []string
	// Inferred: no constraint says so.
	Inferred bool
	// Orphans is the share of non-null references that lead nowhere.
	Orphans float64
	// Children is how many parents have how many children, with zero.
	Children []DataCount
	// Affinity is which class of parent rows of a class refer to, where both
	// tables have classes.
	Affinity []DataGiven
}

// DataCount is the share of parents with From to To children.
type DataCount struct {
	From, To int64
	Share    float64
	// Mean within the bucket.
	Mean float64
}

// DataDependence is a column's distribution for each bucket of another's.
//
// A column's buckets are: "null"; "=VALUE" for each listed value; "q1" to "q10",
// the tenths of the rest's quantiles, or "rest" where it has none or only three.
// Of the listed values the 24 most common have buckets of their own, and the
// others are in "rest". A number of children has the buckets of its reference's
// Children: "0", "1", "11-13". Rows whose buckets fewer than K rows share are left
// out, and combinations that fewer than a quarter of K have are not told.
type DataDependence struct {
	// Column is the column that depends. "children(TABLE.COLUMN,…)" is the number
	// of rows of TABLE that refer to a row through the columns.
	Column string
	// On is a column of the same table, or "COLUMN,… -> COLUMN": one of the row
	// that the reference in these columns leads to.
	On string
	// Strength is the mutual information as a share of the column's entropy.
	Strength float64
	Given    []DataGiven
}

// DataGiven is the distribution over a column's buckets for one bucket of the
// other column.
type DataGiven struct {
	Bucket string // of On
	Share  float64
	Then   []DataShare // Name is a bucket of Column
}

// DataClasses are kinds of rows: the combinations of buckets of several columns
// that at least K rows have each. Every row is of one class. Classes are named
// "c1", "c2", … in their order, and other parts of a profile depend on "class".
type DataClasses struct {
	// Columns are those that classes tell apart, and Usual the bucket of each that
	// most rows are in.
	Columns []string
	Usual   []DataBucket
	List    []DataClass // the most common first
}

// DataClass is one kind of rows.
type DataClass struct {
	Share float64
	// Is has the buckets that are not the usual ones.
	Is []DataBucket
	// Open are columns of which the class says nothing.
	Open []string
}

// DataBucket is a bucket of a column, see [DataDependence].
type DataBucket struct{ Column, Bucket string }

// Bucket is the bucket of a column in a class, if the class has one.
func (c *DataClasses) Bucket(class int, column string) (string, bool) {
	k := &c.List[class]
	if slices.Contains(k.Open, column) {
		return "", false
	}
	for _, of := range [][]DataBucket{k.Is, c.Usual} {
		for _, b := range of {
			if b.Column == column {
				return b.Bucket, true
			}
		}
	}
	return "", false
}

// DataOrder says that Low <= High in a share of the rows that have both.
type DataOrder struct {
	Low, High string
	Holds     float64
	// Gap are quantiles of High - Low, where both are times: in seconds, else as
	// numbers.
	Gap []float64
}

// DataKey is a set of columns that is unique in all but a share of rows.
type DataKey struct {
	Columns    []string
	Duplicates float64
}

// DataStatement is one of production's statements.
type DataStatement struct {
	SQL   string
	Calls float64 // per hour; 0: not known
}

// Table finds a table.
func (d *Data) Table(name string) (*DataTable, bool) {
	for i := range d.Tables {
		if d.Tables[i].Name == name {
			return &d.Tables[i], true
		}
	}
	return nil, false
}

// Column finds a column.
func (t *DataTable) Column(name string) (*DataColumn, bool) {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i], true
		}
	}
	return nil, false
}

// Reference finds a reference by its columns.
func (t *DataTable) Reference(columns []string) (*DataReference, bool) {
	for i := range t.References {
		if slices.Equal(t.References[i].Columns, columns) {
			return &t.References[i], true
		}
	}
	return nil, false
}
