// Package rehearse holds the nouns of a dress rehearsal for production.
//
// A [Plan] says what will run: services, the [LinkSpec] on every edge between
// them, and the steps of the rehearsal. A plan is made once per [Leg], the set
// of production's facets in force: the staging leg has none, the production leg
// has all. Running a plan gives evidence, a sequence of [Record] values in a
// run directory; judging that evidence gives a [Verdict] of [Finding] values.
//
//	compose.yaml, rehearse.yaml, profiles → Plan → environment → []Record → Verdict
//
// Both ends are pure: the same files give the same plan, the same evidence the
// same verdict. The package imports only the standard library and does no I/O,
// so that every other package can speak in its words.
package rehearse
