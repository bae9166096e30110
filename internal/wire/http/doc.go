// Package http is the editor of HTTP/1.0 and HTTP/1.1 connections, and the follower
// that reads along them with the same decoder.
//
// The editor follows requests and answers through pipelining, bodies of every
// framing, interim answers and trailers. Behind an answer that switches protocols (101,
// or a CONNECT that was granted) and before anything that is not HTTP/1, the
// preface of HTTP/2 included, all passes unchanged. So does what follows a
// request to switch while its answer is outstanding.
//
// What the faults do:
//
//   - abort swallows the request with its body and answers when it is over, in
//     its turn behind the answers to earlier requests. Status 0 is 503. The
//     connection stays open if the request lets it. A client that waits for
//     100 Continue gets the answer at once, and the connection ends.
//   - delay holds the request, or with the direction down its answer, from its
//     head on.
//   - truncate passes so many bytes of the answer's body, chunk sizes not
//     counted, and closes the connection when there are more.
//   - drop-header takes every line of that name out of the head. Trailers stay.
//
// An answer made here has no Date: an editor has no clock.
//
// A [wire.Stamper]'s trace context takes the place of the value of the request's
// traceparent, in the same line. If that is not well formed, goes on in a second
// line or is not the only one, all of them go, and the new one is the last line of
// the head. Nothing else of the request changes by a byte.
package http
