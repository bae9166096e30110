// Command client is a service of the end-to-end test: it says what became of each
// address that it was told to connect to.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	for _, addr := range os.Args[1:] {
		c, err := net.Dial("tcp4", addr)
		if err != nil {
			fmt.Println(addr, err)
			continue
		}
		heard, err := io.ReadAll(c)
		fmt.Println(addr, string(heard), err)
	}
}
