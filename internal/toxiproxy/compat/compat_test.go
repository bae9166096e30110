package compat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	standin "github.com/rehearse-dev/rehearse/internal/toxiproxy/compat/standin"
)

const module = "github.com/Shopify/toxiproxy/v2"

// built is the directory of what the tests build.
var built string

// rehearse builds the program under test, once.
var rehearse = sync.OnceValues(func() (string, error) {
	program := filepath.Join(built, "rehearse")
	build := exec.Command("go", "build", "-o", program, "./cmd/rehearse")
	build.Dir, build.Env = filepath.Join("..", "..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build rehearse: %w\n%s", err, out)
	}
	return program, nil
})

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "rehearse"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// serve runs rehearse link serve until the test ends and returns where its API
// is. It must end in good order.
func serve(t *testing.T, host, port string) (url string) {
	t.Helper()
	program, err := rehearse()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "link", "serve", "--host", host, "--port", port)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var talk bytes.Buffer
	cmd.Stderr = &talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	_, url, listening := strings.Cut(lines.Text(), "listening\t")
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("rehearse link serve: %v\n%s", err, talk.String())
		}
	})
	if !listening {
		t.Fatalf("rehearse link serve does not listen")
	}
	return url
}

// TestGoClient runs what Toxiproxy tests its API and its Go client with.
func TestGoClient(t *testing.T) {
	host, port, err := net.SplitHostPort(standin.At)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, host, port)
	overlay := layOver(t)
	cmd := exec.Command("go", "test", "-json", "-count=1", "-overlay", overlay, "./upstream")
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	passed := report(t, json.NewDecoder(out))
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, talk.String())
	}
	if passed < 30 {
		t.Errorf("%d tests of Toxiproxy's passed; it has more", passed)
	}
}

// layOver writes the overlay that puts Toxiproxy's tests into the directory
// upstream. Two lines of them are others: the package under test, and the version
// that it has.
func layOver(t *testing.T) string {
	t.Helper()
	where, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(where)), "api_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := rehearse()
	if err != nil {
		t.Fatal(err)
	}
	version, err := exec.Command(program, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	for was, is := range map[string]string{
		"\t\"" + module + "\"\n":     "\ttoxiproxy \"github.com/rehearse-dev/rehearse/internal/toxiproxy/compat/standin\"\n",
		`"{\"version\": \"git\"}\n"`: `"{\"version\": \"` + strings.Fields(string(version))[1] + `\"}\n"`,
	} {
		if n := bytes.Count(tests, []byte(was)); n != 1 {
			t.Fatalf("Toxiproxy's tests have %d times %s", n, was)
		}
		tests = bytes.Replace(tests, []byte(was), []byte(is), 1)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "api_test.go")
	if err := os.WriteFile(changed, tests, 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := filepath.Abs(filepath.Join("upstream", "api_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{target: changed}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// report makes a subtest of each test whose result is read, and returns how many
// passed.
func report(t *testing.T, results *json.Decoder) (passed int) {
	t.Helper()
	output := map[string]string{}
	for {
		var e struct{ Action, Test, Output string }
		if results.Decode(&e) != nil {
			return passed
		}
		switch e.Action {
		case "output":
			output[e.Test] += e.Output
		case "pass", "fail", "skip":
			if e.Test == "" {
				continue
			}
			if e.Action == "pass" {
				passed++
			}
			t.Run(e.Test, func(t *testing.T) {
				switch e.Action {
				case "fail":
					t.Error(output[e.Test])
				case "skip":
					t.Skip(output[e.Test])
				}
			})
		}
	}
}

// TestCommandLine takes toxiproxy-cli through all of its commands.
func TestCommandLine(t *testing.T) {
	url := serve(t, "127.0.0.1", "0")
	cli := filepath.Join(built, "toxiproxy-cli")
	if out, err := exec.Command("go", "build", "-o", cli, module+"/cmd/cli").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, step := range []struct {
		args string
		want string // of the output, as a regular expression
		fail bool
	}{
		{args: "create --listen localhost:0 --upstream localhost:6379 redis", want: `^Created new proxy redis$`},
		{args: "create --listen localhost:0 --upstream localhost:6379 redis", want: `HTTP 409: proxy already exists`, fail: true},
		{args: "list", want: `^redis\s+127\.0\.0\.1:[1-9]\d*\s+localhost:6379\s+enabled\s+0$`},
		{args: "toxic add --type latency --attribute latency=100 --attribute jitter=50 redis", want: `^Added downstream latency toxic 'latency_downstream' on proxy 'redis'$`},
		{args: "toxic add --type bandwidth --toxicName narrow --upstream --toxicity 0.5 --attribute rate=10 redis", want: `^Added upstream bandwidth toxic 'narrow' on proxy 'redis'$`},
		{args: "toxic add --type latency redis", want: `HTTP 409: toxic already exists`, fail: true},
		{args: "toxic add --type latency --toxicName x --attribute latncy=1 redis", want: `HTTP 400: .*no attribute "latncy"`, fail: true},
		{args: "toxic add --type slow_close --attribute delay=5 redis", want: `^Added`},
		{args: "toxic add --type timeout --attribute timeout=5 redis", want: `^Added`},
		{args: "toxic add --type reset_peer --attribute timeout=5 redis", want: `^Added`},
		{args: "toxic add --type slicer --attribute average_size=64 --attribute size_variation=32 --attribute delay=10 redis", want: `^Added`},
		{args: "toxic add --type limit_data --attribute bytes=500 redis", want: `^Added`},
		{args: "toxic add --type loss --attribute share=0.1 redis", want: `HTTP 400: .*tier stream loses nothing`, fail: true},
		{args: "toxic add --type corrupt --attribute share=0.1 redis", want: `^Added`},
		{args: "toxic update --toxicName latency_downstream --attribute latency=7 redis", want: `^Updated toxic 'latency_downstream' on proxy 'redis'$`},
		{args: "list", want: `\s8$`},
		{args: "inspect redis", want: `(?m)^latency_downstream\ttype=latency\tstream=downstream\ttoxicity=1\.00\tattributes=\[\tjitter=50\tlatency=7\t\]$`},
		{args: "inspect redis", want: `(?m)^narrow\ttype=bandwidth\tstream=upstream\ttoxicity=0\.50\tattributes=\[\trate=10\t\]$`},
		{args: "inspect redis", want: `(?m)^slicer_downstream\t.*attributes=\[\taverage_size=64\tdelay=10\tsize_variation=32\t\]$`},
		{args: "toxic remove --toxicName narrow redis", want: `^Removed toxic 'narrow' on proxy 'redis'$`},
		{args: "toxic remove --toxicName narrow redis", want: `HTTP 404: toxic not found`, fail: true},
		{args: "toggle redis", want: `^Proxy redis is now disabled$`},
		{args: "list", want: `\sdisabled\s`},
		{args: "toggle redis", want: `^Proxy redis is now enabled$`},
		{args: "delete redis", want: `^Deleted proxy redis$`},
		{args: "inspect redis", want: `HTTP 404: proxy not found`, fail: true},
	} {
		cmd := exec.Command(cli, append([]string{"--host", url}, strings.Fields(step.args)...)...)
		out, err := cmd.CombinedOutput()
		if (err != nil) != step.fail || !regexp.MustCompile(step.want).Match(bytes.TrimSpace(out)) {
			t.Errorf("toxiproxy-cli %s: %v\n%s\nwant %s", step.args, err, out, step.want)
		}
	}
}

// TestNodeClient takes the client from npm through all of its methods.
func TestNodeClient(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node; scripts/ci-setup.sh installs it")
	}
	if _, err := os.Stat(filepath.Join("node", "node_modules")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("needs the client; scripts/ci-setup.sh fetches it, or: npm ci in internal/toxiproxy/compat/node")
	}
	cmd := exec.Command("node", "--test", "client.test.mjs")
	cmd.Dir = "node"
	cmd.Env = append(os.Environ(), "TOXIPROXY_URL="+serve(t, "127.0.0.1", "0"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
