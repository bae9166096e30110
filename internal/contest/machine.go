package contest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine names where a benchmark runs, as in
// "2 processors, linux/amd64, kernel 6.1.0-28, go1.26.0".
func Machine() string {
	kernel := ""
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "kernel " + strings.TrimSpace(string(data)) + ", "
	}
	return fmt.Sprintf("%d processors, %s/%s, %s%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, kernel, runtime.Version())
}
