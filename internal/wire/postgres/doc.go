// Package postgres is the editor and the follower of PostgreSQL connections,
// protocol 3, and brings SQL into the form in which telemetry shows it: see
// [Follower] and [Normal].
//
// The editor follows the startup, simple and extended queries, function calls,
// COPY both ways and pipelines, keeps the text of prepared statements, and counts
// ReadyForQuery, by which it knows the state of the transaction. A connection
// that is encrypted, that carries a cancel request or that replicates passes
// unchanged.
//
// A request is a simple query, or the first Execute of a portal. What the faults
// do:
//
//   - sql-error and read-only make the real server fail, so that what it says
//     of its transaction stays true. A simple query is replaced by one that
//     raises the error. In the extended protocol everything goes to the server
//     up to the Execute, the raising query takes its place, and the rest of the
//     batch is dropped, as the server would drop it. A COMMIT that fails rolls
//     back. ROLLBACK, and anything inside a failed transaction, is left alone.
//   - sql-kill, inside a transaction, gives the client the error 57P01 of a
//     connection that an administrator ends, and closes it. The server is told
//     that the client goes, and rolls back.
//   - delay holds the query or the Execute, or with the direction down its
//     answer.
//
// Which statements write is told by their words alone: a function that writes is
// not seen. The raising query, like any simple query, makes the server forget
// the unnamed prepared statement; and it needs PL/pgSQL, which every database
// has unless it was dropped.
//
// On a connection that is taken over live, the texts of statements prepared
// before are not known, nor is the state of the transaction before the first
// answer.
package postgres
