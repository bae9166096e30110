// Package measure makes a data profile of a database.
//
// Most people call [Plan], show what it says, and then [Profile] with the same
// options. Any [Source] can be measured; the packages that speak to servers have
// one each.
//
// Each table is read once, whole or a bounded sample of it, along with a few
// columns of the rows that it refers to and the number of rows that refer to it.
// All counting is done here, in memory that does not grow with the table:
//
//	Source ── rows ──▶ probe ─┬─ column: values, quantiles, texts, documents, artifacts ─┐
//	                          ├─ rowSample: buckets of rows ── forest, orders, keys ─────┼─ gate ─▶ profile.Data
//	                          └─ childCounter, containment ── references ────────────────┘
//
// It counts and forgets. Of values only those get into the profile that at least K
// of the rows that were read hold, in columns that neither by name nor by their
// values look personal, secret or like free text, and those that the schema itself
// names: booleans, labels of enums, defaults, members of CHECK … IN (…). Numbers
// and times are told as quantiles that begin and end K rows from the ends, rounded.
// Shares of combinations of columns are told where a quarter of K rows have them.
// What looks personal is found by patterns and lists of names: it is a net with
// meshes, and K is what holds where it does not.
//
// With Epsilon, counts get noise; quantiles, lengths and the choice of what
// depends on what do not.
package measure
