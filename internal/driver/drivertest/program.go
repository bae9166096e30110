package drivertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Host is what the conformance suite's program needs of the place it runs in.
type Host interface {
	Listen(port int) (net.Listener, error)
	Dial(ctx context.Context, host string, port int) (net.Conn, error)
	Getenv(name string) string
	Hostname() string
	Stdout() io.Writer
	// Detach starts something that would outlive the program, if it could.
	Detach() error
}

// Program is the service that the suite runs on every driver. Its arguments say
// what it does:
//
//	serve PORT     answer one-line questions: "env NAME", "hostname", "dial HOST PORT", "detach", "exit CODE"
//	print TEXT…    print and exit 0
//	exit CODE      print "going" and exit
//	env NAME       print a variable and exit 0
func Program(ctx context.Context, h Host, args []string) int {
	switch args[0] {
	case "serve":
		port, err := strconv.Atoi(args[1])
		if err != nil {
			return 2
		}
		l, err := h.Listen(port)
		if err != nil {
			fmt.Fprintln(h.Stdout(), err)
			return 1
		}
		fmt.Fprintln(h.Stdout(), "listening")
		return serve(ctx, h, l)
	case "print":
		fmt.Fprintln(h.Stdout(), strings.Join(args[1:], " "))
		return 0
	case "env":
		fmt.Fprintln(h.Stdout(), h.Getenv(args[1]))
		return 0
	case "exit":
		fmt.Fprintln(h.Stdout(), "going")
		code, _ := strconv.Atoi(args[1])
		return code
	}
	return 2
}

func serve(ctx context.Context, h Host, l net.Listener) int {
	exit := make(chan int, 1)
	stop := context.AfterFunc(ctx, func() {
		select {
		case exit <- 0:
		default:
		}
	})
	defer stop()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				lines := bufio.NewScanner(c)
				for lines.Scan() {
					fmt.Fprintln(c, answer(ctx, h, strings.Fields(lines.Text()), exit))
				}
			}()
		}
	}()
	code := <-exit
	l.Close()
	return code
}

func answer(ctx context.Context, h Host, q []string, exit chan<- int) string {
	switch {
	case len(q) == 2 && q[0] == "env":
		return h.Getenv(q[1])
	case len(q) == 1 && q[0] == "hostname":
		return h.Hostname()
	case len(q) == 3 && q[0] == "dial":
		port, _ := strconv.Atoi(q[2])
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		c, err := h.Dial(ctx, q[1], port)
		if err != nil {
			return "error: " + err.Error()
		}
		defer c.Close()
		fmt.Fprintln(c, "hostname")
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			return "error: " + err.Error()
		}
		return strings.TrimSpace(line)
	case len(q) == 1 && q[0] == "detach":
		if err := h.Detach(); err != nil {
			return "error: " + err.Error()
		}
		return "detached"
	case len(q) == 2 && q[0] == "exit":
		code, _ := strconv.Atoi(q[1])
		select {
		case exit <- code:
		default:
		}
		return "bye"
	}
	return "error: what?"
}

// Main runs the program as a real process, when its first argument says so.
func Main() {
	if len(os.Args) < 3 || os.Args[1] != "drivertest-program" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	code := Program(ctx, realHost{}, os.Args[2:])
	stop()
	os.Exit(code)
}

type realHost struct{}

func (realHost) Listen(port int) (net.Listener, error) {
	host := os.Getenv("LISTEN_HOST")
	if p, err := strconv.Atoi(os.Getenv("LISTEN_PORT")); err == nil {
		port = p
	}
	return net.Listen("tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
}

func (realHost) Dial(ctx context.Context, host string, port int) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
}
func (realHost) Getenv(name string) string { return os.Getenv(name) }
func (realHost) Hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "error: " + err.Error()
	}
	return name
}
func (realHost) Stdout() io.Writer { return os.Stdout }

// Detach double-forks a sleeper into a session of its own, as daemons do.
func (realHost) Detach() error {
	return exec.Command("/bin/sh", "-c", "(setsid sleep 3600 </dev/null >/dev/null 2>&1 &)").Run()
}
