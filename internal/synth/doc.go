// Package synth makes rows: from a schema, and a profile of production where
// there is one, a dataset that satisfies every constraint of the schema and has
// the profile's shape.
//
// [Compile] makes a [Program], which is a [rows.Dataset]. Nothing is drawn while
// rows are made: a value is a function of the seed, its table, its column and
// its row. So the same rows come out whatever the order and the parallelism in
// which they are asked for, a column that is added changes no other, and memory
// does not grow with the number of rows.
//
// # How rows get their shape
//
// The rows of a table are dealt out over the buckets of each column (see node),
// so that shares are exact and not just likely. Columns that the profile says
// depend on one another are dealt out together. References are dealt out as
// slots of parents (see reference). Within a bucket a value follows from which
// of the bucket's rows this is: quantiles are walked evenly.
//
// # How rows satisfy constraints
//
// By construction, where that is possible: keys count, references lead to rows
// that exist, what a CHECK says of one column narrows the column, values of
// exclusion constraints do not overlap, generated columns are left to the
// server. What remains (other CHECKs, keys over several columns, partitions'
// bounds) is tested row by row when the program is compiled, and a row that
// fails is made again, differently; the few rows for which that was needed are
// remembered. Where no way is found Compile says so, and names the constraint.
//
// # Limits
//
// Each row that had to be made again takes some 20 bytes of memory. While a table
// is tested, each of its keys that do not hold by construction takes 16 to 32 bytes
// a row; a reference that shares columns with another takes four bytes for each row
// that it may lead to, and the values of those columns. A key that has no more
// values makes its table smaller, and a note says so. Of exclusion constraints,
// equality and overlapping ranges are understood. Composite types cannot be made.
// References of a table to itself make trees, whose fan-out is only about the
// profile's.
package synth
