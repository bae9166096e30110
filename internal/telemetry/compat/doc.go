// Package compat runs OpenTelemetry's own software against what takes telemetry
// in an environment: the SDKs for Go and Node, telemetrygen, and the Collector's
// reader and writer of OTLP, pdata, as the oracle of ours. It is a module of its
// own, so that they are no dependencies of ours.
package compat
