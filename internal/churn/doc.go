// Package churn keeps a database alive while it is rehearsed with: it writes to it
// as production's applications do.
//
// [Run] is all there is. It takes from a data profile how often each table's rows
// are inserted, updated and deleted, and does so on several connections, in short
// transactions, until its context ends. Some of them update the same two rows of
// the busiest table, in either order, so that what is rare in production happens:
// waiting for a row, failing to serialise, a deadlock.
//
// What is written breaks no constraint that the schema states, as far as that can
// be known without understanding it:
//   - An update sets one column to the value that it has in another row, and to
//     itself where a key, a reference, a CHECK or an index's expression speaks of it.
//   - An insert copies a row, with fresh values in the columns of its keys. A table
//     with a key for which there is no fresh value has no inserts.
//   - Only rows that were inserted here are deleted.
//
// Errors are counted and end nothing. The rows that are chosen follow from the
// seed; how transactions interleave is up to the server.
package churn
