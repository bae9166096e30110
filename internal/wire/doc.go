// Package wire is what the editors of single protocols share: the [Editor] that
// stands in a connection, what it hands out ([Out]), and the [Rule] by which a
// fault picks requests.
//
//	             ┌────────── Editor ──────────┐
//	client ─ Up ─▶ decode ─▶ Decider ─▶ edit ─▶ Out.Server ─▶ upstream
//	       ◀─ Out.Client ◀─ edit ◀─ decode ◀─ Down ──────────┘
//
// Packages http, http2, postgres and redis hold one editor each. In all of them the
// decoder, which finds the requests and answers in the bytes, knows nothing of
// faults; the editor asks the [Decider] about each request and changes what
// passes. An editor starts no goroutine, reads no clock and draws no chance. It
// keeps no bodies, and of a head at most [MaxHead] bytes.
//
// What an editor cannot understand it passes unchanged, from then on and for
// ever. It never breaks a connection for being surprised, with one exception: it
// has already swallowed a request and cannot tell any more where in the
// upstream's bytes the answer belongs. Then the connection is reset, because
// the client would wait for ever.
package wire
