package process

import (
	"net"
	"testing"
)

// TestWireAddresses: no two clients share an address, and no link has its
// client's own.
func TestWireAddresses(t *testing.T) {
	seen := map[string]bool{}
	for n := 1; n <= 250; n++ {
		if !wireSubnet(n).Contains(wireAddress(n, 0)) {
			t.Fatalf("service %d is outside of its subnet", n)
		}
		for i := range 5 {
			a := wireAddress(n, i)
			if seen[a.String()] || a.Equal(net.IPv4zero) {
				t.Fatalf("address %v is given twice", a)
			}
			seen[a.String()] = true
		}
	}
}
