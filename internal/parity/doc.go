// Package parity lets a small database plan its queries as production does.
//
// The planner of PostgreSQL looks at statistics and at the size of the files of
// tables and indexes. [Apply] gives a generated database both: production's
// statistics from a data profile, and files that are as long as production's and
// hold nothing beyond their own rows (they are sparse, so they take no space on
// the disk). [Explain] then gives production's plans, and [Check] compares those
// of a change's schema with those of the schema before it.
//
// What is guaranteed: no statement is ever executed, all plans are generic
// (parameters have no value), and a file is only ever made longer. A database
// that Apply has changed can still be read and written.
//
// What is not:
//   - The plans are production's only if the planner's settings are
//     (work_mem, random_page_cost, effective_cache_size and the like).
//   - Most common values and histograms are the small database's own, generated
//     from the same profile. The share of pages that are all visible is estimated
//     from the share of dead rows.
//   - The height of a B-tree is read from the tree itself. Each level that the
//     small one lacks makes a descent cheaper by 0.125, which is 1.5 % of a
//     lookup of one row and nothing in a plan that costs more.
//   - A sequential scan reads the whole length of a file. This is no database
//     for timings or for load.
//   - VACUUM, ANALYZE and CREATE INDEX write the small numbers back: call Apply
//     again after migrations.
//   - CREATE DATABASE with the database as its template, and copies that do not
//     know of holes, write the holes out.
//
// Nothing undoes an Apply: it is meant for a clone that is thrown away.
package parity
