// Command program is the service of the drivers' conformance suite as a program of its
// own, which images hold.
package main

import (
	"os"

	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
)

func main() {
	drivertest.Main()
	os.Exit(2) // it was not called as the suite does
}
