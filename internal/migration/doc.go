// Package migration rehearses a change's own migrations on a clone of a dataset:
// what they lock, what they rewrite, whom they block, and what that would mean
// at production's size.
//
// [Rehearse] is what everyone calls. While the migrations run it watches the
// server in three ways:
//   - The catalogue before and after says which tables were rewritten, which
//     indexes were built and how, and which constraints were proven. This is
//     exact, however fast the migrations are.
//   - Event triggers note each DDL statement with its duration and its locks. They
//     lie in a schema of their own, need a superuser, and are gone afterwards.
//     Statements of a transaction that failed are not among them.
//   - A sample each 20 ms shows every other statement, how long locks are held,
//     and which statement keeps the probes waiting: sessions that read and write
//     one row of each big table, again and again. What lasts for less than a
//     sample may be missed.
//
// Durations at production's size are estimates: see [Estimate].
package migration
