// Package switchboard is the link container of an environment of containers, and
// how the host drives it.
//
// Links live in the host's process: there they shape, break and observe. What
// they need inside of the containers' network is an address for each upstream and
// a socket now and then. One small container per environment holds the addresses
// and makes the sockets; [Main] is its program, and [Connect] gives the host's
// process the [Board] that commands it.
//
//	host process                                link container
//	Connect ── standard streams (yamux) ─────── Main          its life: it ends with them
//	  Listen, Dial ── Unix socket (files) ───── addresses, sockets
//	  Names, Neighbour, Gateway                 DNS, ARP, the way out
//
// Where the engine's containers run on our own kernel, sockets are passed out
// over a Unix socket in a directory that both sides see: the host then accepts
// and connects inside of the containers' network as if it stood there, and bytes
// take no detour. Elsewhere every connection is a stream of its own through the
// container's standard input and output. Connect tries the first and falls back
// to the second; [Board.Mode] says which it is. In both modes ends of halves,
// resets and addresses of clients are what they were on the wire; in the tunnel
// a reset waits behind the bytes before it.
//
// The container also answers for what has no link. A name that the client's plan
// does not know does not exist, and an address that nobody holds cannot be
// reached: the client is told at once, and the host what it was ([Refused]).
//
// Whoever can write to the Unix socket's directory may be another user of the
// host: the container proves that it is the one at the other end of the standard
// streams by a token that it was sent over them.
package switchboard

// What the container's image and its settings hold.
const (
	// Program is where the image has the program, cmd/rehearse-link.
	Program = "/rehearse-link"
	// Dir is where a directory of the host is mounted for the Unix socket.
	Dir = "/run/rehearse"
	// Interface is what the engine calls the container's one interface.
	Interface = "eth0"
)

// socketName is the Unix socket's in its directory.
const socketName = "board.sock"
