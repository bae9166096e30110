package peers

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when the links have left goroutines or descriptors behind. The
// cells of the matrix mostly wait, so that more of them run at once than there
// are processors, unless -parallel says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	// The size of the kernel's buffers is not what is tested.
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	code := m.Run()
	if code == 0 {
		code = leaks()
	}
	os.Exit(code)
}

// leaks is 1 when something is left of what the tests have started.
func leaks() int {
	// The clock is the process's, and not of any link.
	clock := goleak.IgnoreAnyFunction("github.com/rehearse-dev/rehearse/internal/link.(*engine).run")
	if err := goleak.Find(clock); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		return 1
	}
	// The runtime keeps a few for itself, which are no sockets and no pipes.
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // only Linux tells
	}
	for _, fd := range open {
		var number int
		if _, err := fmt.Sscan(fd.Name(), &number); err != nil || number <= 2 {
			continue
		}
		what, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && len(what) > 7 && what[:7] == "socket:" {
			fmt.Fprintf(os.Stderr, "descriptor %d is left: %s\n", number, what)
			return 1
		}
	}
	return 0
}
