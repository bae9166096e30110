// Package measure makes a data profile of a database, and compares two databases
// by the definitions of SDMetrics.
//
// [Profile] reads what the planner knows, then a bounded sample of each table, and
// writes down shapes: how many, how often, how long, which together. It counts
// and forgets; of values only those get into the profile that at least K rows
// hold and that are neither personal nor secret.
package measure
