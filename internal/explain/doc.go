// Package explain shrinks production's conditions to the smallest set under which
// a leg still fails, and measures how far the guilty one must go.
//
// [Search] asks probes, which are short legs with some conditions in force, and
// knows no more of them than what they showed: the same beginning and the same
// outcomes give the same explanation, so that [Replay] gives it again from the
// records of a run. It goes in five steps:
//
//	shorten    the shortest loads under which the whole leg still fails
//	staging    without any condition it must not fail
//	minimise   delta debugging over facets, then links, traffic, datasets and
//	           experiments, then their aspects and actions
//	prove      fresh probes: it fails with what was found, and does not without any
//	           one part of it
//	threshold  where along its axis a part begins to make the leg fail
//
// A single probe is enough to go on with, and never to end with: see
// docs/decisions/0032-the-statistics-of-explain.md.
package explain
