// Package bench holds the benchmarks that cross packages, and nothing else: how
// soon an environment stands, alone and beside nine others, and how soon it is
// gone. "make bench" runs them together with those of link and load.
//
// Every figure has its peer in the same run, because a figure of a shared machine
// means little alone: the same postgres binary, started by hand on a copy of the
// same data directory with the same flags; and the same with docgen after it.
// Figures are medians.
package bench
