// Package shape is the arithmetic of a shaped path: when bytes that come in at
// one end are due at the other. It starts no goroutine, reads no clock and opens
// no file; callers bring the time and the randomness.
//
// A connection has a [Flow] for each direction. [Stream] delays pieces of a
// stream of bytes. [TCP] does what a Linux sender and receiver at the two ends of
// the path would: it is an event simulation that lives in the time its caller
// brings, so that a test sees an hour of it in a moment.
//
//	        Flow (the connection's)                      Line (the link's)
//	Send ─▶ Stream: at once                    ─┐    ┌─▶ wait for the transmitter ─▶ + delay ─▶ Deliver
//	        TCP: as its windows and losses let ─┴────┘   + n bytes at the rate       ± jitter
//
// One direction of a link is a [Line], which all its connections share. What a
// path does to each packet is drawn by [Dice] (delay) and [Losses]. [Handshake]
// is what it costs to connect, and [Exchange] what a request and its answer do.
package shape
