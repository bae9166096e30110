package rehearse

import "strings"

// ServiceName is a service's key in the Compose file, as in "db".
type ServiceName string

// Region is where a service runs in production, as in "eu-west-1". The empty
// region is nowhere in particular: no distance to anything.
type Region string

// EnvironmentID names one running isolated copy, as in "docgen-4f9k2m". It is
// the label on everything that the environment creates.
type EnvironmentID string

// RunID names one run directory, as in "20261122-161207-4f9k".
type RunID string

// LinkID names the carried edge from a client to an upstream: "docgen:db". The
// client of traffic from outside is "ingress", or "ingress/REGION" when the
// traffic profile says where it comes from.
type LinkID string

// Ingress is the client name of links that carry traffic from outside.
const Ingress ServiceName = "ingress"

// MakeLinkID joins a client and its upstream.
func MakeLinkID(client, upstream ServiceName) LinkID {
	return LinkID(string(client) + ":" + string(upstream))
}

// IngressFrom is the client name of traffic from outside that starts in a
// region.
func IngressFrom(r Region) ServiceName {
	if r == "" {
		return Ingress
	}
	return Ingress + "/" + ServiceName(r)
}

// IsIngress reports whether a link's client is the outside world.
func IsIngress(client ServiceName) bool {
	return client == Ingress || strings.HasPrefix(string(client), string(Ingress)+"/")
}
