package rehearsetest_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/rehearsetest"
)

// TestMain makes the test binary the project's api as well, by the name that it is
// called by.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "api":
		os.Exit(serve())
	case os.Getenv(helper) == "without main":
		os.Exit(m.Run())
	}
	rehearsetest.Main(withEngine{m})
}

// serve is the project's api: POST /visits counts in Redis, and answers how many
// there have been.
func serve() int {
	http.HandleFunc("POST /visits", func(w http.ResponseWriter, _ *http.Request) {
		n, err := increment(os.Getenv("DB"))
		if err != nil {
			fmt.Println("cannot count:", err)
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, n)
	})
	fmt.Println("api is there")
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	return 1
}

func increment(addr string) (string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "INCR visits\r\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.Trim(line, ":\r\n"), err
}

const composeFile = `name: shop
services:
  api:
    image: shop/api
    environment: {DB: "db:6379", GREETING: "${GREETING:-none}"}
    ports: ["8080:8080"]
    depends_on: {db: {condition: service_healthy}}
  db:
    image: redis:7
`

const rehearseFile = `services:
  api:
    process: {command: [./api]}
`

// project makes a project, with state and cache of its own, and returns its Compose
// file.
func project(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server")
	}
	// Short, because a Unix socket's path has at most 107 bytes, and open, because
	// services run as an ordinary user when we are root.
	dir, err := os.MkdirTemp("/tmp", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	for name, content := range map[string]string{"compose.yaml": composeFile, "rehearse.yaml": rehearseFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "api"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "compose.yaml")
}
