package cli

import (
	"bufio"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// webserver is the service of most scripts' projects.
//
//	GET  /          says hello
//	GET  /via?url=U what U answers; env:NAME is the variable's value
//	GET  /twice?url=U asks U twice
//	GET  /visits    how many POST /visits there have been
//	GET  /traced    tells of a span of its own, and of it in its log
//	GET  /leak      tells API_TOKEN to everybody who listens
//	GET  /crash     ends the server
//	POST /notes     writes 64 KiB into the directory NOTES, or says that it is full
func webserver() int {
	flags := flag.NewFlagSet("webserver", flag.ExitOnError)
	listen := flags.String("listen", ":8080", "where to listen")
	secure := flags.Bool("tls", false, "speak TLS, with a certificate that nobody trusts")
	stubborn := flags.Bool("stubborn", false, "do not end when asked to")
	_ = flags.Parse(os.Args[1:]) // ExitOnError
	if *stubborn {
		signal.Ignore(syscall.SIGTERM)
	}
	var visits atomic.Int64
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	http.HandleFunc("GET /visits", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, visits.Load(), "visits") })
	http.HandleFunc("POST /visits", func(w http.ResponseWriter, _ *http.Request) { visits.Add(1) })
	http.HandleFunc("GET /traced", traced)
	http.HandleFunc("GET /leak", leak)
	http.HandleFunc("POST /notes", note)
	http.HandleFunc("GET /crash", func(http.ResponseWriter, *http.Request) {
		fmt.Println("out of memory")
		os.Exit(9)
	})
	http.HandleFunc("GET /via", func(w http.ResponseWriter, r *http.Request) {
		target := r.FormValue("url")
		if name, ok := strings.CutPrefix(target, "env:"); ok {
			target = os.Getenv(name)
		}
		resp, err := http.Get(target)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // the client sees a short answer
	})
	http.HandleFunc("GET /twice", func(w http.ResponseWriter, r *http.Request) {
		for range 2 {
			resp, err := http.Get(r.FormValue("url"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			resp.Body.Close()
		}
	})
	_, port, _ := net.SplitHostPort(*listen)
	if *secure {
		ln, err := net.Listen("tcp", *listen)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		server := httptest.NewUnstartedServer(http.DefaultServeMux)
		server.Listener = ln
		server.StartTLS()
		fmt.Println("listening on port", port)
		select {}
	}
	fmt.Println("listening on port", port)
	fmt.Fprintln(os.Stderr, http.ListenAndServe(*listen, nil))
	return 1
}

// traced does what an SDK of OpenTelemetry does with a request: its span is below
// the one that the request names, and goes to where the environment says.
func traced(w http.ResponseWriter, r *http.Request) {
	parent := strings.Split(r.Header.Get("Traceparent"), "-")
	if len(parent) != 4 {
		http.Error(w, "no trace context", http.StatusBadRequest)
		return
	}
	now := time.Now().UnixNano()
	body := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":%q}}]},"scopeSpans":[{"spans":[`+
		`{"traceId":%q,"spanId":"00f067aa0ba902b7","parentSpanId":%q,"name":"the work itself","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}]}]}]}`,
		os.Getenv("OTEL_SERVICE_NAME"), parent[1], parent[2], now-int64(time.Microsecond), now)
	resp, err := http.Post(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+"/v1/traces", "application/json", strings.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	fmt.Printf("level=WARN trace_id=%s msg=\"it is done\"\n", parent[1])
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the client sees a short answer
}

// leak prints a secret in several forms, in pieces too, and sends it to LEAK_TO in a
// path, a query, a header and a body, and to the receiver of telemetry in a span.
func leak(w http.ResponseWriter, _ *http.Request) {
	secret := os.Getenv("API_TOKEN")
	fmt.Printf("token %s, %q, %s, %s\n", secret, secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte("ann:"+secret)))
	fmt.Print("in pieces: ")
	for _, piece := range secret {
		fmt.Print(string(piece))
	}
	fmt.Println()
	req, err := http.NewRequest(http.MethodPost, os.Getenv("LEAK_TO")+"/"+url.PathEscape(secret)+"?token="+url.QueryEscape(secret), strings.NewReader(secret))
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+secret)
		_, err = http.DefaultClient.Do(req)
	}
	if err == nil {
		now := time.Now().UnixNano()
		_, err = http.Post(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+"/v1/traces", "application/json", strings.NewReader(fmt.Sprintf(
			`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":%q,"startTimeUnixNano":"%d","endTimeUnixNano":"%d",`+
				`"attributes":[{"key":"db.statement","value":{"stringValue":%q}}]}]}]}]}`, "login "+secret, now-1, now, "SET password = '"+secret+"'")))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// note writes a file of 64 KiB.
func note(w http.ResponseWriter, _ *http.Request) {
	f, err := os.CreateTemp(os.Getenv("NOTES"), "note")
	if err == nil {
		_, err = f.Write(make([]byte, 64<<10))
		err = errors.Join(err, f.Close())
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		http.Error(w, err.Error(), http.StatusInsufficientStorage)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// fetch is "fetch [-post] [-token T] URL": it prints the answer's body, and fails unless
// the status is 200.
func fetch() int {
	flags := flag.NewFlagSet("fetch", flag.ExitOnError)
	post := flags.Bool("post", false, "POST an empty body")
	token := flags.String("token", "", "what the request bears")
	_ = flags.Parse(os.Args[1:]) // ExitOnError
	method := http.MethodGet
	if *post {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, flags.Arg(0), nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if *token != "" {
		req.Header.Set("Authorization", "Bearer "+*token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer resp.Body.Close()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, resp.Status, err)
		return 1
	}
	return 0
}

// interrupt is "interrupt REGEXP... -- COMMAND [ARG...]": it runs the command,
// passes its output on, presses Ctrl-C once for each expression as soon as a
// line matches it, and ends with the command's exit code.
func interrupt() int {
	cut := slices.Index(os.Args, "--")
	if cut < 0 {
		fmt.Fprintln(os.Stderr, "usage: interrupt REGEXP... -- COMMAND [ARG...]")
		return 2
	}
	waiting := os.Args[1:cut]
	cmd := exec.Command(os.Args[cut+1], os.Args[cut+2:]...)
	var mu sync.Mutex
	watch := func(from io.Reader, to io.Writer) {
		lines := bufio.NewScanner(from)
		for lines.Scan() {
			fmt.Fprintln(to, lines.Text())
			mu.Lock()
			if len(waiting) > 0 && regexp.MustCompile(waiting[0]).MatchString(lines.Text()) {
				waiting = waiting[1:]
				_ = cmd.Process.Signal(os.Interrupt) // it may have ended: its exit code tells
			}
			mu.Unlock()
		}
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var watched sync.WaitGroup
	watched.Go(func() { watch(stdout, os.Stdout) })
	watched.Go(func() { watch(stderr, os.Stderr) })
	watched.Wait()
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 0
}
