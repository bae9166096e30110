package main

// service is one of the zoo's, and what is wrong with it. Rehearse is told nothing
// of either.
type service struct{ name, fault string }

var services = []service{
	{"seats", "pool exhaustion under latency"},
	{"catalogue", "N+1 over a WAN"},
	{"frontpage", "no time-out against a stalled dependency"},
	{"parcels", "retry storm on 503"},
	{"addresses", "429 without back-off"},
	{"orders", "a retry that is not idempotent, after a reset"},
	{"letters", "legacy rows in an unknown encoding"},
	{"subscribers", "NULL where there never is any"},
	{"points", "lost update under concurrent writers"},
	{"transfers", "deadlock by lock order"},
	{"directory", "a sequential scan that only volume shows"},
	{"sessions", "pooled connections that a fail-over kills for good"},
}
