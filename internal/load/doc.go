// Package load sends a traffic profile's requests: an HTTP load generator with
// an open model. [Schedule] says when each request starts, before the first is
// sent, and [Run] sends them at those times.
//
// # What is measured
//
// Arrivals never wait for answers: a service that slows down meets as many
// requests as before, as in production. A request's latency counts from its
// intended start, so that neither a stall of the service nor one of the
// generator is left out (wrk2's author calls that coordinated omission). How far
// sending lagged behind is in [Result.Late], for a reader to judge the generator
// by.
//
// # How requests are sent
//
// Each origin has its own connections, which it keeps and reuses; a request
// that finds none idle opens one. HTTP/1.1 is spoken. No redirect is followed,
// no cookie kept, nothing compressed. As every Go client does, and browsers too,
// a request without side effects is sent once more when the service closed the
// reused connection before it answered.
//
// A request whose templates need a captured value while there is none yet is
// replaced: by the nearest request in the profile's order that can be made, the
// earlier one of two equally near. Its sample bears the name of the request that
// was really sent.
//
// # Samples
//
// A sample's Error is one of:
//
//	timeout    no complete answer within the profile's timeout
//	refused    nobody listens
//	reset      the connection was reset
//	eof        the connection ended before the answer did
//	dns        the host's name was not found
//	status     the answer is complete, its status not among the accepted ones
//	other      none of these
//
// and, for a dropped request, which says nothing of the service:
//
//	canceled   the load was interrupted while the request was in flight
//	crowded    too many requests were in flight already
//	local      this host had no port or file descriptor left
//	template   the request's templates could not be filled in
//
// The status is one check, and so is each text of Contains; all are missed when
// there was no complete answer.
package load
