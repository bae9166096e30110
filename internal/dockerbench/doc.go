// Package dockerbench measures how soon an environment of containers stands, how soon
// it is gone and what it takes beside its services, against docker compose and
// testcontainers-go, in turn on one engine with the same images and files. It holds
// a benchmark and nothing else; make bench-docker builds what it needs and runs it.
//
//	rehearse        the commands up -d and down, as a person types them
//	compose         up --wait and down -v
//	testcontainers  a program that starts the same two containers, and waits as that
//	                library's documentation says to
//	by hand         the same containers through the engine's API, one after the other,
//	                each asked every 10 ms: what the project takes on this engine
//
// All facets are flat: no link has a delay. A case measures each contestant once per
// round, the first of a round being another one each time; a comparison is made within a
// round, and what is printed is the median over the rounds with the smallest and the
// largest. A first round warms everything up and does not count.
//
// A goal that is missed is said plainly and is no failure. What could not be measured
// is one, and so is anything that is left in the engine at the end, after Ctrl-C too.
// Images stay, of the services and of rehearse's link container: they are caches.
package dockerbench
