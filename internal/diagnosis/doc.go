// Package diagnosis names the cause of a failure. [Of] compares a failing leg
// with a passing one, [Within] the slow and failed requests of one leg with its
// quick ones, and [Needed] says whether there is anything to explain.
//
// Populations are compared, never pairs of traces. For each operation, the time
// on the critical path is split over (path, kind); the differences of the means
// add up to the difference of the operation's mean, to the nanosecond. A change
// counts when it is more than chance and large enough to be felt, and when it
// hurts: more requests fail, or a threshold of the plan on durations does not
// hold for the operation. So the longer way that production has is no cause as
// long as nobody is hurt by it.
//
// The place that takes the most of what the failed and slowest requests take
// longer then leads to one of a few rules, one a file or function, and each is
// general:
//
//	errors    most failed requests hold a call that is answered with an error
//	wait      for a connection: who holds them, for how long, and how many there are
//	calls     more calls than before: N+1, retries
//	shape     round trips × distance, or a fault
//	server, transfer, queue, network, self
//
// Where answers are wrong and none of this is to be seen, [Wrong] looks for what is
// known to make them so: a write that is sent again, and one that comes between.
//
// The package is pure: the same telemetry, in any order, gives the same
// diagnosis.
package diagnosis
