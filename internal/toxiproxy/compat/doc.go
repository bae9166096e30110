// Package compat runs Toxiproxy's clients against rehearse link serve: the Go
// client with its own tests and toxiproxy-cli, both from Toxiproxy's module, and
// the Node client from npm. It is a module of its own, so that they are no
// dependencies of ours.
package compat
