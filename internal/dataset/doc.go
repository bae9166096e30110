// Package dataset brings the pieces of generated data together: a database, a
// profile, a plan of meanings, a generator, and what loads or writes rows.
//
// [Open] speaks to a database, whatever its engine. [Read] reads the files of a
// dataset, [Compile] makes its program for a schema, and [Fill] fills a database
// with it. [Key] is everything that the result depends on, so that it is made
// once.
package dataset
