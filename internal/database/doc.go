// Package database does to an environment's databases what a rehearsal needs
// beside traffic: it runs a change's migrations and watches them, writes as
// production's other writers do, and compares the plans of production's
// statements.
//
// [Migrator], [Churn] and [Plans] give the hooks of packages environment and
// rehearsal. They reach a database by its driver and not through links, so that
// no shape delays them and no telemetry speaks of them. Only PostgreSQL is
// watched.
package database
