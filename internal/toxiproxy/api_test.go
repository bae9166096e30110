package toxiproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestProxyCRUD(t *testing.T) {
	a := newAPI(t, Options{})
	at := upstream(t, echo)

	var made Proxy
	a.must(201, "POST", "/proxies", object{"name": "redis", "listen": "localhost:0", "upstream": at}, &made)
	if !made.Enabled || strings.HasSuffix(made.Listen, ":0") || !strings.HasPrefix(made.Listen, "127.0.0.1:") {
		t.Errorf("got %+v, want it enabled and its port resolved", made)
	}
	if got := say(t, dial(t, made.Listen), "hello"); got != "hello" {
		t.Errorf("got %q through the proxy", got)
	}

	var all map[string]Proxy
	a.must(200, "GET", "/proxies", nil, &all)
	if diff := cmp.Diff(map[string]Proxy{"redis": made}, all); diff != "" {
		t.Error(diff)
	}
	for _, method := range []string{"POST", "PATCH"} {
		var p Proxy
		a.must(200, method, "/proxies/redis", object{"enabled": false}, &p)
		if p.Enabled {
			t.Errorf("%s did not disable it", method)
		}
		refuses(t, made.Listen)
		a.must(200, method, "/proxies/redis", object{"enabled": true}, &p)
		if diff := cmp.Diff(made, p); diff != "" {
			t.Errorf("%s: not the same after it was enabled again:\n%s", method, diff)
		}
		say(t, dial(t, made.Listen), "again")
	}
	a.must(204, "DELETE", "/proxies/redis", nil, nil)
	refuses(t, made.Listen)
	a.must(404, "GET", "/proxies/redis", nil, nil)
}

// The bodies are those that clients know.
func TestBodies(t *testing.T) {
	a := newAPI(t, Options{Version: "1.2.3"})
	at := a.proxy("p", "127.0.0.1:1")
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/version", "", 200, `{"version": "1.2.3"}`},
		{"GET", "/proxies/p", "", 200, `{"name":"p","listen":"` + at + `","upstream":"127.0.0.1:1","enabled":true,"toxics":[]}`},
		{"GET", "/proxies/p/toxics", "", 200, `[]`},
		{"POST", "/proxies/p/toxics", `{"type":"latency"}`, 200, `{"attributes":{"jitter":0,"latency":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}`},
		{"POST", "/proxies/p/toxics", `{"type":"latency","stream":"upstream","toxicity":0.2,"attributes":{"latency":100}}`, 200, `{"attributes":{"jitter":0,"latency":100},"name":"latency_upstream","type":"latency","stream":"upstream","toxicity":0.2}`},
		{"PATCH", "/proxies/p/toxics/latency_upstream", `{"attributes":{"jitter":10}}`, 200, `{"attributes":{"jitter":10,"latency":100},"name":"latency_upstream","type":"latency","stream":"upstream","toxicity":0.2}`},
		{"POST", "/proxies/p/toxics/latency_upstream", `{"toxicity":1}`, 200, `{"attributes":{"jitter":10,"latency":100},"name":"latency_upstream","type":"latency","stream":"upstream","toxicity":1}`},
		{"GET", "/proxies/p/toxics/latency_downstream", "", 200, `{"attributes":{"jitter":0,"latency":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}`},
		{"POST", "/proxies/p/toxics", `{"type":"latency"}`, 409, `{"error":"toxic already exists","status":409}`},
		{"POST", "/proxies/p/toxics", `{"type":"latency","stream":"walrus"}`, 400, `{"error":"stream was invalid, can be either upstream or downstream","status":400}`},
		{"POST", "/proxies/p/toxics", `{"type":"nothing like it"}`, 400, `{"error":"invalid toxic type","status":400}`},
		{"POST", "/proxies/p/toxics", `{"type":"latncy"}`, 400, `{"error":"invalid toxic type","status":400,"hint":"Did you mean latency?"}`},
		{"GET", "/proxies/p/toxics/none", "", 404, `{"error":"toxic not found","status":404}`},
		{"PATCH", "/proxies/p/toxics/none", `{}`, 404, `{"error":"toxic not found","status":404}`},
		{"DELETE", "/proxies/p/toxics/none", "", 404, `{"error":"toxic not found","status":404}`},
		{"DELETE", "/proxies/p/toxics/latency_upstream", "", 204, ""},
		{"POST", "/proxies", `{"name":"p","upstream":"127.0.0.1:1"}`, 409, `{"error":"proxy already exists","status":409}`},
		{"POST", "/proxies", `{}`, 400, `{"error":"missing required field: name","status":400}`},
		{"POST", "/proxies", `{"name":"q"}`, 400, `{"error":"missing required field: upstream","status":400}`},
		{"GET", "/proxies/q", "", 404, `{"error":"proxy not found","status":404}`},
		{"GET", "/proxies/q/toxics", "", 404, `{"error":"proxy not found","status":404}`},
		{"POST", "/proxies/q", `{}`, 404, `{"error":"proxy not found","status":404}`},
		{"DELETE", "/proxies/q", "", 404, `{"error":"proxy not found","status":404}`},
		{"POST", "/populate", `[{"name":"q","upstream":"h:1"},{"upstream":"h:1"}]`, 400, `{"error":"missing required field: name at proxy 2","status":400,"proxies":[]}`},
		{"POST", "/populate", `[{"name":"q"}]`, 400, `{"error":"missing required field: upstream at proxy 1","status":400,"proxies":[]}`},
		{"POST", "/reset", "", 204, ""},
		{"GET", "/proxies/p/toxics", "", 200, `[]`},
	} {
		status, got := a.call(c.method, c.path, c.body)
		if status != c.status || got != c.want {
			t.Errorf("%s %s %s:\ngot  %d %s\nwant %d %s", c.method, c.path, c.body, status, got, c.status, c.want)
		}
	}
}

// What cannot be is refused with what is wrong, and changes nothing.
func TestBadBodies(t *testing.T) {
	a := newAPI(t, Options{})
	a.proxy("p", "127.0.0.1:1")
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "latency", "name": "slow", "attributes": object{"latency": 5}}, nil)
	var before, after any
	a.must(200, "GET", "/proxies", nil, &before)
	for _, c := range []struct{ path, body, want string }{
		{"/proxies", ``, `bad request body: EOF`},
		{"/proxies", `{`, `bad request body: unexpected EOF`},
		{"/proxies", `{"name":"q",}`, `invalid character '}'`},
		{"/proxies", `[]`, `it is a array, and should be an object`},
		{"/proxies", `{"name":"q","upstream":"h:1"} {}`, `there is more behind the JSON value`},
		{"/proxies", `{"name":1}`, `field name is a number, and should be a string`},
		{"/proxies", `{"name":"q","upstream":"h:1","enabled":"yes"}`, `field enabled is a string, and should be true or false`},
		{"/proxies", `{"name":"q","upstram":"h:1"}`, `unknown field \"upstram\"`},
		{"/proxies", `{"name":"q","upstream":"h"}`, `upstream: address h: missing port in address`},
		{"/proxies", `{"name":"q","upstream":"h:1","listen":"127.0.0.1:70000"}`, `listen: address 127.0.0.1:70000: invalid port`},
		{"/proxies", `{"name":"q","upstream":"udp:h:1"}`, `a proxy carries UDP on both sides, or on neither`},
		{"/proxies", `{"name":"q","upstream":"h:1","listen":"unix:"}`, `missing path`},
		{"/proxies", `{"name":"q","upstream":"h:1","listen":"unix:/` + strings.Repeat("x", 200) + `"}`, `the path of a socket has at most`},
		{"/proxies", `{"name":"q","upstream":"h:1","shape":{"up":{"delay":"-1s"}}}`, `delay -1s is not between 0 and 1h`},
		{"/proxies", `{"name":"q","upstream":"h:1","tier":"telepathy"}`, `tier \"telepathy\" is not one of`},
		{"/proxies", `{"name":"q","upstream":"h:1","toxics":[{"type":"noop"},{"type":"noop"}]}`, `toxic already exists: noop_downstream`},
		{"/populate", `{}`, `it is a object, and should be an array`},
		{"/proxies/p", `{"upstream":""}`, `missing required field: upstream`},
		{"/proxies/p/toxics", `{"type":"latency","toxicity":1.5}`, `toxicity 1.5 is not between 0 and 1`},
		{"/proxies/p/toxics", `{"type":"latency","toxicity":"much"}`, `field toxicity is a string, and should be a number`},
		{"/proxies/p/toxics", `{"type":"latency","attributes":{"latency":"long"}}`, `attribute latency: \"long\" is not a number of milliseconds between 0 and 3600000`},
		{"/proxies/p/toxics", `{"type":"latency","attributes":{"latency":-1}}`, `attribute latency: -1 is not`},
		{"/proxies/p/toxics", `{"type":"latency","attributes":{"latency":1e300}}`, `attribute latency: 1e300 is not`},
		{"/proxies/p/toxics", `{"type":"latency","attributes":{"latncy":1}}`, `toxic latency has no attribute \"latncy\"","status":400,"hint":"Did you mean latency?"`},
		{"/proxies/p/toxics", `{"type":"latency","attributes":[1]}`, `field attributes is a array, and should be an object`},
		{"/proxies/p/toxics", `{"type":"bandwidth","attributes":{"rate":-5}}`, `attribute rate: -5 is not a number of kilobytes`},
		{"/proxies/p/toxics", `{"type":"slicer"}`, `average_size: a slice has at least 1 byte`},
		{"/proxies/p/toxics", `{"type":"limit_data","attributes":{"bytes":1.5}}`, `attribute bytes: 1.5 is not a whole number of bytes`},
		{"/proxies/p/toxics", `{"type":"loss","attributes":{"share":2}}`, `share 2 is not between 0 and 1`},
		{"/proxies/p/toxics", `{"type":"loss"}`, `it needs share`},
		{"/proxies/p/toxics", `{"type":"refuse","attributes":{"delay":5}}`, `it takes no delay`},
		{"/proxies/p/toxics/slow", `{"attributes":{"latency":true}}`, `attribute latency: true is not`},
		{"/proxies/p/toxics/slow", `{"toxicity":-1}`, `toxicity -1 is not between 0 and 1`},
	} {
		status, got := a.call("POST", c.path, c.body)
		if status != http.StatusBadRequest && status != http.StatusConflict || !strings.Contains(got, c.want) {
			t.Errorf("POST %s %s:\ngot  %d %s\nwant 400 … %s", c.path, c.body, status, got, c.want)
		}
	}
	a.must(200, "GET", "/proxies", nil, &after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("bad bodies changed something:\n%s", diff)
	}
}

// The fault that a toxic is.
func TestToxicToFault(t *testing.T) {
	const ms = rehearse.Duration(1e6)
	for _, c := range []struct {
		body string
		want rehearse.Fault
	}{
		{`{"type":"latency","attributes":{"latency":100,"jitter":10}}`, rehearse.Fault{Name: "latency_downstream", Kind: rehearse.FaultDelay, Direction: rehearse.Down, Delay: 100 * ms, Jitter: 10 * ms, Distribution: rehearse.Uniform}},
		{`{"type":"bandwidth","stream":"upstream","attributes":{"rate":1000}}`, rehearse.Fault{Name: "bandwidth_upstream", Kind: rehearse.FaultRate, Direction: rehearse.Up, Rate: 8 * rehearse.Mbit}},
		{`{"type":"bandwidth","attributes":{"rate":"8Mbit","shared":true}}`, rehearse.Fault{Name: "bandwidth_downstream", Kind: rehearse.FaultRate, Direction: rehearse.Down, Rate: 8 * rehearse.Mbit, Shared: true}},
		{`{"type":"bandwidth"}`, rehearse.Fault{Name: "bandwidth_downstream", Kind: rehearse.FaultStall, Direction: rehearse.Down}},
		{`{"type":"slow_close","attributes":{"delay":7}}`, rehearse.Fault{Name: "slow_close_downstream", Kind: rehearse.FaultSlowClose, Direction: rehearse.Down, Delay: 7 * ms}},
		{`{"type":"timeout","attributes":{"timeout":7}}`, rehearse.Fault{Name: "timeout_downstream", Kind: rehearse.FaultTimeout, Direction: rehearse.Down, Delay: 7 * ms}},
		{`{"type":"reset_peer","toxicity":0.5}`, rehearse.Fault{Name: "reset_peer_downstream", Kind: rehearse.FaultReset, Direction: rehearse.Down, Probability: 0.5}},
		{`{"type":"slicer","attributes":{"average_size":10,"size_variation":10,"delay":5}}`, rehearse.Fault{Name: "slicer_downstream", Kind: rehearse.FaultSlice, Direction: rehearse.Down, Size: 10, Variation: 9, Delay: 5000}},
		{`{"type":"limit_data","name":"n","attributes":{"bytes":42}}`, rehearse.Fault{Name: "n", Kind: rehearse.FaultTruncate, Direction: rehearse.Down, Bytes: 42}},
		{`{"type":"loss","stream":"both","attributes":{"share":0.1,"burst":3}}`, rehearse.Fault{Name: "loss_both", Kind: rehearse.FaultLoss, Share: 0.1, Burst: 3}},
		{`{"type":"refuse"}`, rehearse.Fault{Name: "refuse_downstream", Kind: rehearse.FaultRefuse}},
		{`{"type":"sql-error","attributes":{"code":40001,"match.statement":"^INSERT"}}`, rehearse.Fault{Name: "sql-error_downstream", Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "^INSERT"}}},
		{`{"type":"partition","attributes":{"schedule.for":"1s","schedule.every":5000}}`, rehearse.Fault{Name: "partition_downstream", Kind: rehearse.FaultPartition, Direction: rehearse.Down, Schedule: rehearse.Schedule{For: 1000 * ms, Every: 5000 * ms}}},
		{`{"type":"delay","attributes":{"delay":"1.5s"}}`, rehearse.Fault{Name: "delay_downstream", Kind: rehearse.FaultDelay, Direction: rehearse.Down, Delay: 1500 * ms}},
	} {
		var in toxicInput
		if f := read([]byte(c.body), &in); f != nil {
			t.Errorf("%s: %s", c.body, f.Message)
			continue
		}
		got, f := newToxic(in)
		if f != nil {
			t.Errorf("%s: %s", c.body, f.Message)
			continue
		}
		if !got.acts {
			t.Errorf("%s: the link is not given it", c.body)
		}
		if diff := cmp.Diff(c.want, got.fault); diff != "" {
			t.Errorf("%s:\n%s", c.body, diff)
		}
	}
	for _, body := range []string{`{"type":"noop"}`, `{"type":"latency"}`, `{"type":"slow_close"}`, `{"type":"timeout","toxicity":0}`} {
		var in toxicInput
		if f := read([]byte(body), &in); f != nil {
			t.Fatal(f.Message)
		}
		got, f := newToxic(in)
		if f != nil {
			t.Fatalf("%s: %s", body, f.Message)
		}
		if got.acts {
			t.Errorf("%s: the link is given what does nothing", body)
		}
	}
}

// Every kind of fault can be a toxic.
func TestEveryKindIsAToxic(t *testing.T) {
	for _, k := range rehearse.FaultKinds() {
		if _, ok := speciesOf(string(k)); !ok {
			t.Errorf("%s is no toxic", k)
		}
	}
}

func TestPopulateReplacesOnlyWhatDiffers(t *testing.T) {
	a := newAPI(t, Options{})
	type answer struct{ Proxies []Proxy }
	config := []object{
		{"name": "a", "listen": "localhost:0", "upstream": "127.0.0.1:1"},
		{"name": "b", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "enabled": false},
	}
	var first, second, third answer
	a.must(201, "POST", "/populate", config, &first)
	if first.Proxies[1].Enabled || !first.Proxies[0].Enabled {
		t.Errorf("got %+v", first.Proxies)
	}
	a.must(200, "POST", "/proxies/a/toxics", object{"type": "latency"}, nil)
	a.must(201, "POST", "/populate", config, &second)
	if got := second.Proxies[0]; got.Listen != first.Proxies[0].Listen || len(got.Toxics) != 1 {
		t.Errorf("the same configuration again made %+v of %+v", got, first.Proxies[0])
	}
	// As it was found, and as it is by another name.
	config[0]["listen"] = strings.Replace(first.Proxies[0].Listen, "127.0.0.1", "localhost", 1)
	a.must(201, "POST", "/populate", config, &third)
	if got := third.Proxies[0]; got.Listen != first.Proxies[0].Listen || len(got.Toxics) != 1 {
		t.Errorf("the same address made %+v of %+v", got, first.Proxies[0])
	}
	config[0]["upstream"] = "127.0.0.1:2"
	a.must(201, "POST", "/populate", config, &third)
	if got := third.Proxies[0]; got.Upstream != "127.0.0.1:2" || len(got.Toxics) != 0 {
		t.Errorf("another upstream made %+v", got)
	}

	// Those before one that fails are there, and the failure is told with them.
	var partly struct {
		answer
		Error string
	}
	a.must(400, "POST", "/populate", []object{
		{"name": "c", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}, {"name": "d", "listen": "local", "upstream": "127.0.0.1:1"},
	}, &partly)
	if len(partly.Proxies) != 1 || partly.Proxies[0].Name != "c" || !strings.Contains(partly.Error, "missing port") {
		t.Errorf("got %+v", partly)
	}
	a.must(200, "GET", "/proxies/c", nil, nil)
}

// A change that fails leaves the proxy as it was.
func TestFailedMoveChangesNothing(t *testing.T) {
	a := newAPI(t, Options{})
	at := a.proxy("p", upstream(t, echo))
	other := a.proxy("other", "127.0.0.1:1")
	var f struct{ Error, Hint string }
	a.must(500, "PATCH", "/proxies/p", object{"listen": other}, &f)
	if want := "listen tcp " + other + ": bind: address already in use"; f.Error != want {
		t.Errorf("got %q, want %q", f.Error, want)
	}
	if want := other + " is held by the proxy other of this server"; !strings.HasPrefix(f.Hint, want) {
		t.Errorf("got the hint %q, want %q", f.Hint, want)
	}
	var p Proxy
	a.must(200, "GET", "/proxies/p", nil, &p)
	if p.Listen != at || !p.Enabled {
		t.Errorf("got %+v, want it on %s", p, at)
	}
	say(t, dial(t, at), "still here")

	a.must(200, "PATCH", "/proxies/p", object{"listen": "localhost:0"}, &p)
	if p.Listen == at {
		t.Errorf("it has not moved from %s", at)
	}
	refuses(t, at)
	say(t, dial(t, p.Listen), "moved")
}

// An address in use names the process that holds it.
func TestHolder(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skip("needs /proc/net/tcp, which Linux has")
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("is held by %s (process %d)", bytes.TrimSpace(comm), os.Getpid())
	a := newAPI(t, Options{})
	path := filepath.Join(t.TempDir(), "s")
	// Held until the end of the test: a listener that nobody has is collected.
	ln := listen(t, "tcp", "127.0.0.1:0")
	defer ln.Close()
	un := listen(t, "unix", path)
	defer un.Close()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	for _, at := range []string{ln.Addr().String(), "unix:" + path, "udp:" + pc.LocalAddr().String()} {
		upstream := "127.0.0.1:1"
		if strings.HasPrefix(at, "udp:") {
			upstream = "udp:" + upstream
		}
		var f struct{ Error, Hint string }
		a.must(500, "POST", "/proxies", object{"name": "p", "listen": at, "upstream": upstream}, &f)
		if !strings.HasSuffix(f.Error, "bind: address already in use") || !strings.Contains(f.Hint, want) {
			t.Errorf("got %q, hint %q; want the latter to say %q", f.Error, f.Hint, want)
		}
	}
}

func TestUnixAndIPv6(t *testing.T) {
	a := newAPI(t, Options{})
	dir := t.TempDir()
	back := filepath.Join(dir, "back")
	serveOn(t, listen(t, "unix", back), echo)
	front := "unix:" + filepath.Join(dir, "front")

	// What a server that was killed leaves behind is no obstacle.
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: strings.TrimPrefix(front, "unix:"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()

	var p Proxy
	a.must(201, "POST", "/proxies", object{"name": "u", "listen": front, "upstream": "unix:" + back}, &p)
	if p.Listen != front {
		t.Errorf("got %q, want %q", p.Listen, front)
	}
	if got := say(t, dial(t, front), "hello"); got != "hello" {
		t.Errorf("got %q", got)
	}
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Log("no IPv6 here:", err)
		return
	}
	six := serveOn(t, ln, echo)
	a.must(201, "POST", "/proxies", object{"name": "6", "listen": "[::1]:0", "upstream": six}, &p)
	if got := say(t, dial(t, p.Listen), "hello"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestUDP(t *testing.T) {
	a := newAPI(t, Options{})
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if _, err := server.WriteTo(buf[:n], from); err != nil {
				t.Error(err)
			}
		}
	}()
	defer func() { server.Close(); <-done }()

	var p Proxy
	a.must(201, "POST", "/proxies", object{"name": "p", "listen": "udp:localhost:0", "upstream": "udp:" + server.LocalAddr().String()}, &p)
	at, ok := strings.CutPrefix(p.Listen, "udp:127.0.0.1:")
	if !ok || at == "0" {
		t.Fatalf("it listens on %q", p.Listen)
	}
	conn, err := net.Dial("udp", "127.0.0.1:"+at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if got := say(t, conn, "hello"); got != "hello" {
		t.Errorf("got %q", got)
	}
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "loss", "stream": "upstream", "attributes": object{"share": 1}}, nil)
	if _, err := conn.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	a.until("the datagram is lost", func(s rehearse.LinkStats) bool { return s.Doses[0].Packets == 1 })
	a.must(204, "POST", "/reset", nil, nil)
	if got := say(t, conn, "again"); got != "again" {
		t.Errorf("got %q", got)
	}
	a.must(204, "DELETE", "/proxies/p", nil, nil)
}

// broken is a link that somebody else carries.
type broken struct {
	faults []rehearse.Fault
	err    error
}

func (b *broken) Break(faults []rehearse.Fault) error {
	if b.err != nil {
		return b.err
	}
	b.faults = faults
	return nil
}

func (b *broken) Stats() rehearse.LinkStats { return rehearse.LinkStats{ID: "web:db", BytesUp: 7} }

func TestFixedProxies(t *testing.T) {
	a := newAPI(t, Options{})
	l := &broken{}
	if err := a.server.Add(Fixed{Name: "web:db", Listen: "db:5432", Upstream: "db:5432", Link: l}); err != nil {
		t.Fatal(err)
	}
	if err := a.server.Add(Fixed{Name: "web:db", Link: l}); err == nil {
		t.Error("the same name twice")
	}
	a.must(200, "POST", "/proxies/web:db/toxics", object{"type": "timeout"}, nil)
	want := []rehearse.Fault{{Name: "timeout_downstream", Kind: rehearse.FaultTimeout, Direction: rehearse.Down}}
	if diff := cmp.Diff(want, l.faults); diff != "" {
		t.Error(diff)
	}

	// As Go's client saves one that is to be disabled.
	var p Proxy
	a.must(200, "GET", "/proxies/web:db", nil, &p)
	p.Enabled = false
	a.must(200, "POST", "/proxies/web:db", p, &p)
	if len(l.faults) != 3 || p.Enabled {
		t.Errorf("disabled, it has %v and is %+v", l.faults, p)
	}
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"PATCH", "/proxies/web:db", object{"listen": "127.0.0.1:0"}},
		{"PATCH", "/proxies/web:db", object{"upstream": "elsewhere:1"}},
		{"PATCH", "/proxies/web:db", object{"shape": object{}}},
		{"DELETE", "/proxies/web:db", nil},
		{"POST", "/populate", []object{{"name": "web:db", "listen": "127.0.0.1:0", "upstream": "x:1"}}},
	} {
		var f struct {
			Error, Hint string
		}
		a.must(403, c.method, c.path, c.body, &f)
		if !strings.Contains(f.Error, "link of an environment") || f.Hint == "" {
			t.Errorf("%s %s: got %+v", c.method, c.path, f)
		}
	}
	a.must(204, "POST", "/reset", nil, nil)
	if len(l.faults) != 0 {
		t.Errorf("after a reset it has %v", l.faults)
	}

	// What the link refuses is not kept.
	l.err = &rehearse.Error{Msg: "no such thing", Hint: "Try another."}
	var f struct{ Error, Hint string }
	a.must(400, "POST", "/proxies/web:db/toxics", object{"type": "timeout"}, &f)
	if f.Error != "bad request body: no such thing" || f.Hint != "Try another." {
		t.Errorf("got %+v", f)
	}
	if status, got := a.call("GET", "/proxies/web:db/toxics", nil); got != "[]" {
		t.Errorf("got %d %s", status, got)
	}
	var stats rehearse.LinkStats
	a.must(200, "GET", "/proxies/web:db/stats", nil, &stats)
	if stats.BytesUp != 7 {
		t.Errorf("got %+v", stats)
	}
	a.server.Remove("web:db")
	a.must(404, "GET", "/proxies/web:db", nil, nil)
}

func TestHeaders(t *testing.T) {
	a := newAPI(t, Options{})
	for agent, want := range map[string]int{"Mozilla/5.0 (X11; Linux x86_64)": 403, "Wget/2.1": 200, "": 200} {
		r, err := http.NewRequest("GET", a.url+"/proxies", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", agent)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("User-Agent %q: got %d, want %d", agent, resp.StatusCode, want)
		}
		if resp.Header.Get("X-Toxiproxy-Request-Id") == "" {
			t.Error("no request id")
		}
		if got := resp.Header.Get("Content-Type"); want == 200 && got != "application/json" {
			t.Errorf("got content type %q", got)
		}
	}
}

// As many toxics as there may be come at once, are listed and taken away; one more
// is too many, and so are 10,000.
func TestManyToxics(t *testing.T) {
	a := newAPI(t, Options{})
	toxics := make([]object, mostToxics)
	for i := range toxics {
		toxics[i] = object{"name": fmt.Sprint("t", i), "type": "latency", "attributes": object{"latency": 1}, "toxicity": 0.5}
	}
	a.proxy("p", "127.0.0.1:1", toxics...)
	var got []Toxic
	a.must(200, "GET", "/proxies/p/toxics", nil, &got)
	if len(got) != mostToxics {
		t.Errorf("got %d toxics", len(got))
	}
	a.must(400, "POST", "/proxies/p/toxics", object{"type": "noop"}, nil)
	a.must(204, "DELETE", "/proxies/p/toxics/t77", nil, nil)
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "noop"}, nil)
	a.must(204, "POST", "/reset", nil, nil)

	many := make([]object, 10_000)
	for i := range many {
		many[i] = object{"name": fmt.Sprint("t", i), "type": "noop"}
	}
	status, text := a.call("POST", "/proxies", object{"name": "q", "upstream": "127.0.0.1:1", "toxics": many})
	if status != 400 || !strings.Contains(text, "10000 toxics; a proxy has at most 1000") {
		t.Errorf("got %d %s", status, text)
	}
	if status, text := a.call("POST", "/proxies", strings.Repeat(" ", longestBody+1)); status != 400 || !strings.Contains(text, "too large") {
		t.Errorf("got %d %s", status, text)
	}
}

func TestEvents(t *testing.T) {
	var got []string
	a := newAPI(t, Options{Event: func(e Event) {
		if e.Time.IsZero() {
			t.Error("an event without a time")
		}
		line := e.Name + " " + e.Proxy
		if e.Toxic != nil {
			line += " " + e.Toxic.Name
		}
		got = append(got, line)
	}})
	a.proxy("p", "127.0.0.1:1")
	a.must(200, "POST", "/proxies/p/toxics", object{"type": "noop"}, nil)
	a.must(200, "PATCH", "/proxies/p/toxics/noop_downstream", object{}, nil)
	a.must(204, "DELETE", "/proxies/p/toxics/noop_downstream", nil, nil)
	a.must(200, "PATCH", "/proxies/p", object{"enabled": false}, nil)
	a.must(204, "POST", "/reset", nil, nil)
	a.must(200, "PATCH", "/proxies/p", object{"upstream": "127.0.0.1:2"}, nil)
	a.must(204, "DELETE", "/proxies/p", nil, nil)
	want := []string{
		"created p", "toxic added p noop_downstream", "toxic changed p noop_downstream", "toxic removed p noop_downstream",
		"disabled p", "enabled p", "changed p", "deleted p",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestServeEnds(t *testing.T) {
	s := New(Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ln := listen(t, "tcp", "127.0.0.1:0")
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	at, err := s.Create(ctx, Spec{Name: "p", Listen: "127.0.0.1:0", Upstream: upstream(t, echo)})
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, at)
	say(t, conn, "hello")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived the server")
	}
	refuses(t, at)
	refuses(t, ln.Addr().String())
	if _, err := s.Create(context.Background(), Spec{Name: "q", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:1"}); err == nil {
		t.Error("a closed server made a proxy")
	}
}

func TestPopulateFromFile(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	err := s.Populate(t.Context(), []byte(`[{"name":"a","listen":"127.0.0.1:0","upstream":"h:1"},{"name":"b"}]`))
	if got, want := fmt.Sprint(err), "missing required field: upstream at proxy 2"; got != want || rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := s.Populate(t.Context(), []byte(`[{"name":"a","listen":"127.0.0.1:0","upstream":"h:1","shape":{"up":{"delay":"5ms"}}}]`)); err != nil {
		t.Error(err)
	}
}

// A name may have any character, as a link's may.
func TestOddNames(t *testing.T) {
	a := newAPI(t, Options{})
	for _, name := range []string{"ingress/eu-west-1:web", "a b", "ü?#", "%2F"} {
		a.proxy(name, "127.0.0.1:1")
		path := "/proxies/" + url.PathEscape(name)
		a.must(200, "POST", path+"/toxics", object{"type": "noop", "name": name}, nil)
		a.must(200, "GET", path+"/toxics/"+url.PathEscape(name), nil, nil)
		a.must(204, "DELETE", path, nil, nil)
	}
}

// A server that may do more than its clients opens no Unix socket for them, and
// listens where only they can reach it.
func TestConfined(t *testing.T) {
	a := newAPI(t, Options{Confined: true})
	path := "unix:" + filepath.Join(t.TempDir(), "s")
	a.must(400, "POST", "/proxies", object{"name": "p", "listen": path, "upstream": "127.0.0.1:1"}, nil)
	a.must(400, "POST", "/proxies", object{"name": "p", "listen": "127.0.0.1:0", "upstream": path}, nil)
	a.must(400, "POST", "/proxies", object{"name": "p", "listen": ":0", "upstream": "127.0.0.1:1"}, nil)
	a.proxy("p", "127.0.0.1:1")
	a.must(400, "PATCH", "/proxies/p", object{"upstream": path}, nil)
	a.must(400, "PATCH", "/proxies/p", object{"listen": "0.0.0.0:0"}, nil)
}

func TestShapeAndTier(t *testing.T) {
	a := newAPI(t, Options{})
	a.proxy("plain", "127.0.0.1:1")
	var p Proxy
	a.must(200, "PATCH", "/proxies/plain", object{"shape": object{"up": object{"delay": "5ms"}}}, &p)
	if p.Shape.Up.Delay != 5e6 || p.Tier != "" {
		t.Errorf("got %+v", p)
	}
	var stats rehearse.LinkStats
	a.must(200, "GET", "/proxies/plain/stats", nil, &stats)
	if stats.Shape != p.Shape || stats.Tier != rehearse.TierStream {
		t.Errorf("got %+v", stats)
	}
	a.must(400, "PATCH", "/proxies/plain", object{"tier": "model"}, nil)
	a.must(400, "PATCH", "/proxies/plain", object{"shape": object{"up": object{"loss": 0.1}}}, nil)
	a.must(201, "POST", "/proxies", object{"name": "far", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "shape": object{"up": object{"delay": "5ms"}}}, &p)
	if p.Tier != rehearse.TierModel {
		t.Errorf("a proxy with a shape has the tier %q", p.Tier)
	}
	// Only a model can lose something of a stream.
	a.must(200, "POST", "/proxies/far/toxics", object{"type": "loss", "attributes": object{"share": 0.1}}, nil)
	a.must(400, "POST", "/proxies/plain/toxics", object{"type": "loss", "attributes": object{"share": 0.1}}, nil)
}

// Everything at once: no answer but those that the order of the calls can give.
func TestConcurrentCalls(t *testing.T) {
	a := newAPI(t, Options{Event: func(Event) {}})
	at := upstream(t, echo)
	var calls sync.WaitGroup
	for worker := range 8 {
		calls.Go(func() {
			for i := range 20 {
				name := fmt.Sprint("p", (worker+i)%3)
				for _, c := range []struct {
					method, path string
					body         any
					want         []int
				}{
					{"POST", "/proxies", object{"name": name, "listen": "127.0.0.1:0", "upstream": at}, []int{201, 409}},
					{"POST", "/proxies/" + name + "/toxics", object{"type": "latency", "attributes": object{"latency": 1}}, []int{200, 404, 409}},
					{"PATCH", "/proxies/" + name, object{"enabled": i%2 == 0}, []int{200, 404}},
					{"PATCH", "/proxies/" + name + "/toxics/latency_downstream", object{"toxicity": 0.5}, []int{200, 404}},
					{"GET", "/proxies", nil, []int{200}},
					{"GET", "/metrics", nil, []int{200}},
					{"POST", "/populate", []object{{"name": name, "listen": "localhost:0", "upstream": at}}, []int{201}},
					{"POST", "/reset", nil, []int{204}},
					{"DELETE", "/proxies/" + name, nil, []int{204, 404}},
				} {
					if status, text := a.call(c.method, c.path, c.body); !slices.Contains(c.want, status) {
						t.Errorf("%s %s: %d %s", c.method, c.path, status, text)
					}
				}
			}
		})
	}
	calls.Wait()
}

func TestMetrics(t *testing.T) {
	a := newAPI(t, Options{})
	up := upstream(t, echo)
	at := a.proxy(`odd "name"`, up)
	say(t, dial(t, at), "12345")
	_, got := a.call("GET", "/metrics", nil)
	for _, want := range []string{
		"# TYPE toxiproxy_proxy_received_bytes_total counter\n",
		fmt.Sprintf(`toxiproxy_proxy_received_bytes_total{direction="upstream",listener="%s",proxy="odd \"name\"",upstream="%s"} 5`, at, up),
		fmt.Sprintf(`toxiproxy_proxy_sent_bytes_total{direction="downstream",listener="%s",proxy="odd \"name\"",upstream="%s"} 5`, at, up),
	} {
		// The connection is open: Toxiproxy would say 0.
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func FuzzToxic(f *testing.F) {
	f.Add([]byte(`{"type":"latency","attributes":{"latency":1,"jitter":"2ms"}}`))
	f.Add([]byte(`{"type":"sql-error","attributes":{"code":40001}}`))
	f.Add([]byte(`{"type":"bandwidth","stream":"both","attributes":{"rate":1e12,"shared":1}}`))
	names := regexp.MustCompile(`^[a-z_-]+$`)
	f.Fuzz(func(t *testing.T, data []byte) {
		var in toxicInput
		if read(data, &in) != nil {
			return
		}
		made, failure := newToxic(in)
		if failure != nil {
			if failure.Status/100 != 4 {
				t.Errorf("%s: %d", data, failure.Status)
			}
			return
		}
		if made.acts && made.fault.Validate() != nil {
			t.Errorf("%s: the link is given %+v, which is invalid", data, made.fault)
		}
		// What the API shows is what it takes.
		shown, err := json.Marshal(made.show())
		if err != nil {
			t.Fatal(err)
		}
		var back toxicInput
		if f := read(shown, &back); f != nil {
			t.Fatalf("%s: %s", shown, f.Message)
		}
		again, failure := newToxic(back)
		if failure != nil {
			t.Fatalf("%s was shown as %s, which is refused: %s", data, shown, failure.Message)
		}
		if names.MatchString(made.name) && made.fault != again.fault {
			t.Errorf("%s was shown as %s, which is another fault:\n%s", data, shown, cmp.Diff(made.fault, again.fault))
		}
	})
}
