// Package verdict judges a leg: the same evidence always gives the same verdict.
//
// [Judge] asks, in this order, and each question becomes a finding:
//
//	ready                      did every service become ready
//	stayed up                  did none fail after that
//	within memory              only when a process was killed and its service went on
//	STEP: load offered         did the generator send what the traffic profile asks
//	STEP: THRESHOLD            does each threshold hold
//	STEP: steady before: …     did an experiment's steady state hold before its method
//	STEP: during: …            what users may see meanwhile
//	STEP: recovers within …    did the steady state hold again in time
//	STEP: took hold            did the method break anything
//	STEP: rolled back          was it mended
//	STEP: suite                did the team's own suite pass
//	check: NAME                does each check hold of the traces and logs
//	network: LINK delay        did each shaped link give the delay that it asked
//	network: in force          did the network condition touch any traffic
//	evidence complete          only when it is not
//	left nothing behind        only when something was left
//	environment kept           only when what runs the services went away
//	left alone                 only when somebody else did something to services
//
// A finding fails when the evidence shows that the project is at fault, and is
// unverified when the evidence cannot show the one or the other: no samples, a
// generator that fell behind, a link that gave less than it asked, damage. What
// could not be shown is never a pass.
//
// The package is pure: it reads no file and knows no time. It never panics,
// whatever the evidence holds.
package verdict
