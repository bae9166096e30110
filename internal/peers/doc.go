// Package peers tests links with real clients and servers: PostgreSQL and
// pgbench, Redis and its benchmark, curl, HTTP/2, gRPC, WebSocket, QUIC and a DNS
// resolver, each through every fault that can touch it.
//
// It is a module of its own, so that what these peers need is no dependency of
// the product. There is nothing in it but tests. Read matrix_test.go first: it
// says what each fault promises, and the other files say how each peer is used.
package peers
