// Package postgres reads a PostgreSQL database, 12 to 18: its catalogue, what its
// planner knows, and samples of its rows.
//
// Most people call [Open], then [DB.Catalog] for the [schema.Schema]; a [DB] is a
// [measure.Source] from then on. Who only needs a connection with good errors
// calls [Connect].
//
// Nothing is ever written. Whatever is asked runs in READ ONLY transactions with
// a statement_timeout and a lock_timeout, so that a busy production is not held
// up: samples are of one snapshot that is given up in time, and no lock on a table outlives the reading
// of it. A cancelled context cancels the statement on the server too.
//
// Tables are the ordinary and the partitioned ones. Views, foreign and temporary
// tables, and what belongs to an extension are left out. What a partition has from
// its parent, namely keys, indexes, foreign keys and triggers, stands at the
// parent alone; CHECK constraints stand at both. A table that others inherit from
// in the old way is read without their rows, which are read with them.
//
// Definitions and expressions are printed for a search_path of "public": names in
// other schemas are qualified.
package postgres
