// Package packettest makes network namespaces with TUN devices in them, for
// tests of what crosses a wire of package packet.
package packettest
