// Package mysql reads and fills a database of MariaDB, from 10.5 on, or of MySQL,
// from 8.0.16 on.
//
// Most people call [Open], then [DB.Catalog] for the [schema.Schema]; a [DB] is a
// [measure.Source] from then on. [DB.Load] fills the tables of an existing schema
// with the rows of a [rows.Dataset], and proves that every constraint holds.
//
// Reading writes nothing. Whatever is asked runs in READ ONLY transactions with a
// bound on the time of a statement and on the wait for a lock, so that a busy
// production is not held up: samples are of one snapshot that is given up in time,
// and no lock on a table outlives the reading of it. A cancelled context kills the
// statement on the server too.
//
// Tables are those of the database in the URL; views and sequences are left out. A
// partitioned table is one table. What a server writes to speak of one thing in its
// own way is written in one form: JSON of MariaDB, a longtext with a CHECK, is of
// kind JSON without that check, and a default is a literal or an expression, as
// MariaDB prints it.
//
// Servers let rows break foreign keys while foreign_key_checks is off, and never
// look again, and LOAD DATA LOCAL makes warnings of errors. So a load counts rows,
// takes any warning for an error, and counts at the end, for each foreign key, the
// rows that lead nowhere.
package mysql
