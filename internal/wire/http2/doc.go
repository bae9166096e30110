// Package http2 is the editor of HTTP connections of any version, and the follower
// that reads along them with the same decoder. A connection that begins with the
// preface of HTTP/2 they understand themselves, gRPC included; any other they leave
// to those in package http.
//
// The editor follows the frames and the header blocks of both directions. As long as no
// fault has touched a direction, its bytes pass as they came. From the first
// header block on that is changed, swallowed or made here, every block of that
// direction is encoded anew without the dynamic table: the receiver has missed
// entries that the sender believes in. Each such block begins by setting the
// table's size to 0, which is allowed at any time, and which some receivers
// demand after their settings have changed.
//
// What the faults do:
//
//   - abort answers as soon as the request's head is there, and swallows the
//     request and its body. The server never hears of the stream: skipping
//     identifiers is allowed. The client may go on with the request: it is given
//     back the windows, and RST_STREAM(NO_ERROR) says that no more is needed
//     when the body is longer than 1 MiB.
//     The body waits for the client's windows. A gRPC request is answered by
//     trailers alone, with the grpc-status that a gRPC library makes of the HTTP
//     status, and Body as grpc-message.
//   - delay holds the request, or with the direction down its answer, from its
//     head on, and with it all that follows on that side of the connection, of
//     other streams too.
//   - truncate passes so many bytes of the answer's body. When there are more,
//     the client is given RST_STREAM(INTERNAL_ERROR) and the server
//     RST_STREAM(CANCEL). Other streams go on.
//   - drop-header takes every field of that name out of the head. Trailers stay.
//     The name is compared without regard to case; :authority is no Host here.
//
// A [wire.Stamper]'s trace context takes the place of the request's traceparent. If
// that is not well formed or not the only one, all of them go, and the new one is
// the last field. The requests of a connection are encoded anew from the first one
// on that is stamped.
//
// For the rules a head looks like one of HTTP/1: a field is a line, and
// :authority is the line Host where there is no such field.
//
// The bytes of our own answers come out of the client's window for the
// connection, of which the server knows nothing. So they are taken off the
// client's next WINDOW_UPDATE. Should the server use the window up before that,
// what it sends waits here for the update.
//
// An editor must have seen a connection from its first byte on: without the
// header blocks that have passed, later ones mean nothing. A connection that
// speaks HTTP/2 when the editor is put in passes unchanged. So does one with a
// header block of more than [wire.MaxHead] bytes from there on, unless its
// direction has been edited; then it is reset. While [wire.MaxOwed] streams that
// faults have touched have not ended, further requests pass untouched.
package http2
