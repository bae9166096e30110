// Package ramdisk is a file system in memory that can be made full as it is, and
// given room again: what a service sees whose disk is full, without a disk.
package ramdisk

// What the link container's program does in the place of its own work, with the
// directory of one as its argument.
const (
	Full  = "full"
	Roomy = "roomy"
)

// Options are the file system's mount options beyond its mode: how large it may
// become.
const Options = "size=50%"
