package rehearsetest_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/rehearsetest"
)

func TestUp(t *testing.T) {
	file := project(t)
	t.Run("environment", func(t *testing.T) {
		env := rehearsetest.Up(t, file, rehearsetest.Env("GREETING=hello"))
		url := env.URL("api", 8080) + "/visits"
		visited(t, url, "1")

		t.Run("faults", func(t *testing.T) {
			link := env.Link("api", "db")
			link.Set(rehearse.Fault{Kind: rehearse.FaultReset})
			if status, _ := visit(t, url); status != http.StatusBadGateway {
				t.Errorf("with a link that resets: status %d, want %d", status, http.StatusBadGateway)
			}
			if d := link.Stats().Doses; len(d) != 1 || d[0].Connections == 0 {
				t.Errorf("the fault's dose is %+v, want connections that it touched", d)
			}
			link.Set()
			visited(t, url, "2")
			link.Set(rehearse.Fault{Kind: rehearse.FaultRefuse})
			link.Shape(rehearse.Symmetric(time.Millisecond, 0, 0))
			if got := link.Stats(); got.Shape.RTT() != time.Millisecond || len(got.Doses) == 0 || got.Doses[0].Gone {
				t.Errorf("a shape has taken the fault away: %+v", got)
			}
			link.Reset()
			visited(t, url, "3")
			if got := link.Stats().Shape; !got.IsZero() {
				t.Errorf("after Reset the shape is %v, want the plan's, which is flat", got)
			}
		})
		t.Run("inside", func(t *testing.T) {
			stdout, _, code, err := env.Exec(t.Context(), "db", "redis-cli", "-p", "6379", "GET", "visits")
			if err != nil || code != 0 || stdout != "3\n" {
				t.Errorf("GET visits: %q, exit %d (%v), want 3", stdout, code, err)
			}
			if _, _, code, err := env.Exec(t.Context(), "api", "sh", "-c", `test "$GREETING" = hello && exit 7`); code != 7 || err != nil {
				t.Errorf("exit %d (%v), want 7: Env has not reached the service", code, err)
			}
			if got := env.Logs("api"); !strings.Contains(got, "api is there\n") || !strings.Contains(got, "cannot count:") {
				t.Errorf("the api's log is %q", got)
			}
		})
		t.Run("data", func(t *testing.T) {
			// Nothing lets traffic in there but that the test may ask for it.
			if n, err := increment(env.Addr("db", 6379)); n != "4" || err != nil {
				t.Errorf("visits from outside: %q (%v), want 4", n, err)
			}
			env.Reset("db")
			visited(t, url, "1")
		})
	})
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "state/rehearse/environments/*")); len(left) > 0 || err != nil {
		t.Errorf("the environment has left %v (%v)", left, err)
	}
}

// TestFailures looks at tests that fail as they should, in processes of their own.
func TestFailures(t *testing.T) {
	file := project(t)
	for name, want := range map[string][]string{
		"without main": {"hint: Give the package a main: func TestMain(m *testing.M) { rehearsetest.Main(m) }"},
		"no file":      {"rehearsetest: ", "nowhere.yaml"},
		"no port":      {`service "api" is not known to listen on port 81, but on: 8080`, "hint: Name the port in the Compose file"},
		"no link":      {`the environment has no link "api:bd"`, "hint: Did you mean api:db?"},
		"failed":       {"service api is ready; its last lines:", "api is there"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := help(t, name, file).CombinedOutput()
			if err == nil {
				t.Errorf("the test passes, and should fail:\n%s", out)
			}
			for _, w := range want {
				if !strings.Contains(string(out), w) {
					t.Errorf("it does not say %q:\n%s", w, out)
				}
			}
		})
	}
}

// visit posts a visit, and returns what is answered.
func visit(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func visited(t *testing.T, url, want string) {
	t.Helper()
	if status, got := visit(t, url); status != http.StatusOK || got != want {
		t.Errorf("visit: %d %q, want %q", status, got, want)
	}
}

// helper says what TestHelper does, in a process that another test has started.
const helper = "REHEARSETEST_HELPER"

// TestHelper is what other tests start this binary for, and nothing by itself.
func TestHelper(t *testing.T) {
	file := os.Getenv("REHEARSETEST_FILE")
	switch os.Getenv(helper) {
	case "":
	case "without main", "failed":
		rehearsetest.Up(t, file)
		t.Error("as it should")
	case "no file":
		rehearsetest.Up(t, filepath.Join(filepath.Dir(file), "nowhere.yaml"))
	case "no port":
		rehearsetest.Up(t, file).URL("api", 81)
	case "no link":
		rehearsetest.Up(t, file).Link("api", "bd")
	case "share":
		env := rehearsetest.Up(t, file, rehearsetest.Shared("shop", time.Minute))
		_, n := visit(t, env.URL("api", 8080)+"/visits")
		fmt.Println("visited", env.ID(), n)
	case "stay":
		env := rehearsetest.Up(t, file)
		fmt.Println("standing", env.ID(), env.API())
		<-t.Context().Done()
	}
}
