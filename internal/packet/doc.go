// Package packet carries links packet by packet: real packets of the kernel's
// own TCP and UDP, delayed, lost and spoiled on their way between two network
// namespaces, without any help from the kernel's traffic control.
//
// [Open] makes a TUN device in the calling thread's network namespace. A [Wire]
// joins two of them, the client's and that of all its links, where each link has
// an address of its own:
//
//	         near device                            far device
//	client ──▶ 10.1.0.2 ══▶ lane of 10.1.1.1, up   ══▶ 10.1.1.1 ──▶ link
//	           (default     lane of 10.1.1.1, down     10.1.1.2 ──▶ link
//	            route)      lane of 10.1.1.2, …        …
//
// A packet that comes in at one device is due at the other after its path's
// delay, never earlier, and never before the packet ahead of it on the same lane
// unless the path reorders. What no link's address is part of is not carried.
//
// The devices exchange TCP data with the wire in trains of up to 64 KiB, as a
// network card with segmentation offload does, which makes the wire several
// times as fast. A path's loss, rate and faults nevertheless strike the single
// packets that such a train stands for; see [Wire.Set].
//
// Devices can be made in another process, which needs CAP_NET_ADMIN in the
// namespace, and their descriptors sent to the one that runs the wire, which
// needs no privilege. There are wires on Linux only.
package packet
