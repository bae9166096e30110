package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/authority"
	"github.com/rehearse-dev/rehearse/internal/link"
	"github.com/rehearse-dev/rehearse/internal/toxiproxy"
)

func (a *app) linkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "link",
		Short: "Carry, shape and break connections",
		Long: `A link carries the connections from a client to its upstream, gives them the
delay, jitter, loss and rate of a network, and breaks them as asked.`,
		Example: "  rehearse link serve --proxy redis=127.0.0.1:26379=127.0.0.1:6379 --rtt 80ms",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.linkLsCommand(), a.linkSetCommand(), a.linkResetCommand(), a.linkServeCommand())
	return c
}

// linkServe is what rehearse link serve is told.
type linkServe struct {
	host, port, config string
	seed               uint64
	proxies            []string
	network            shapeFlags
	tier, authority    string
	asJSON             bool
}

func (a *app) linkServeCommand() *cobra.Command {
	var s linkServe
	var metrics bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve links of their own, with Toxiproxy's API",
		Long: `Serve links wherever Toxiproxy is used today: its HTTP API, its client libraries,
its command line and its configuration files work unchanged.

A proxy is made through the API, by a configuration file, or with --proxy
NAME=LISTEN=UPSTREAM, where an address is host:port, udp:host:port or unix:/path
and port 0 is any free one. A proxy of --proxy has the network that --rtt, --jitter, --loss,
--rate and the like say: half the round trip each way, and loss and rate each way.

The seed decides which connections a toxic touches whose toxicity is below 1, and
what a jitter is: the same seed does the same again.

One line on stdout tells where the API is, and then one for each change; with
--json they are JSON objects.`,
		Example: `  rehearse link serve
  rehearse link serve --config toxiproxy.json --seed 42
  rehearse link serve --proxy db=127.0.0.1:15432=db.internal:5432 --rtt 84ms --jitter 6ms --loss 0.1% --rate 100Mbit`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			specs, err := s.specs(cmd)
			if err != nil {
				return err
			}
			return a.serveLinks(cmd.Context(), s, specs)
		},
	}
	f := c.Flags()
	f.StringVar(&s.host, "host", "localhost", "where the API listens")
	f.StringVar(&s.port, "port", "8474", "the API's port; 0 is any free one")
	f.StringVar(&s.config, "config", "", "a file of proxies to make, in Toxiproxy's JSON")
	f.Uint64Var(&s.seed, "seed", 1, "which of all that may happen does happen")
	f.StringArrayVar(&s.proxies, "proxy", nil, "make a proxy, as NAME=LISTEN=UPSTREAM; may be repeated")
	s.network.add(c)
	f.StringVar(&s.tier, "tier", "", `how truthfully: "stream" delays bytes, "model" sends them as TCP would (default: model for --proxy with a network, else stream)`)
	f.StringVar(&s.authority, "end-tls", "", "end TLS on the proxies of --proxy, with the authority in this `directory`, which is made if it is not there; clients must trust its ca.pem")
	f.BoolVar(&s.asJSON, "json", false, "print what happens as JSON, one object a line")
	// GET /metrics is there without being asked for.
	f.BoolVar(&metrics, "proxy-metrics", false, "")
	_ = f.MarkHidden("proxy-metrics")
	return c
}

// toxiproxyFlags lets rehearse link serve be called with Toxiproxy's flags, which
// have one dash: "-config FILE".
func toxiproxyFlags(args []string) []string {
	if len(args) < 2 || args[0] != "link" || args[1] != "serve" {
		return args
	}
	out := slices.Clone(args)
	for i, arg := range out {
		name, _, _ := strings.Cut(arg, "=")
		if slices.Contains([]string{"-host", "-port", "-config", "-seed", "-proxy-metrics"}, name) {
			out[i] = "-" + arg
		}
	}
	return out
}

// specs are the proxies of the command line.
func (s linkServe) specs(cmd *cobra.Command) ([]toxiproxy.Spec, error) {
	var shape rehearse.Shape
	if err := s.network.apply(cmd, &shape); err != nil {
		return nil, err
	}
	tier := rehearse.Tier(s.tier)
	switch tier {
	case "", rehearse.TierModel:
	case rehearse.TierStream:
		if err := tier.Carries(shape); err != nil {
			return nil, err
		}
	default:
		return nil, usageError("--tier is %q, and should be %q or %q", s.tier, rehearse.TierStream, rehearse.TierModel)
	}
	if len(s.proxies) == 0 && !shape.IsZero() {
		return nil, usageError("--rtt, --loss and the like are of the proxies of --proxy, and there is none")
	}
	var out []toxiproxy.Spec
	for _, p := range s.proxies {
		parts := strings.SplitN(p, "=", 3)
		if len(parts) != 3 || slices.Contains(parts, "") {
			return nil, usageError("--proxy is %q, and should be NAME=LISTEN=UPSTREAM, as in redis=127.0.0.1:26379=127.0.0.1:6379", p)
		}
		out = append(out, toxiproxy.Spec{Name: parts[0], Listen: parts[1], Upstream: parts[2], Shape: shape, Tier: tier, EndTLS: s.authority != ""})
	}
	return out, nil
}

func (a *app) serveLinks(ctx context.Context, s linkServe, specs []toxiproxy.Spec) (err error) {
	var config []byte
	if s.config != "" {
		if config, err = os.ReadFile(s.config); err != nil {
			return &rehearse.Error{Kind: rehearse.Invalid, Msg: "read the proxies", Err: err}
		}
	}
	ln, err := toxiproxy.Listen(ctx, net.JoinHostPort(s.host, s.port))
	if err != nil {
		return err
	}
	defer ln.Close()
	if note := raiseFileLimit(); note != "" {
		fmt.Fprintln(a.stderr, note)
	}
	// Whoever reads what we print may go; the links go on.
	signal.Ignore(syscall.SIGPIPE)
	told := newTeller(a, s.asJSON)
	defer told.close()
	end, err := endTLS(s.authority)
	if err != nil {
		return err
	}
	server := toxiproxy.New(toxiproxy.Options{EndTLS: end, Seed: s.seed, Version: version(), Tier: rehearse.Tier(s.tier), Event: told.tell})
	defer server.Close()
	told.tell(toxiproxy.Event{Time: time.Now(), Name: "listening", Listen: "http://" + ln.Addr().String()})
	if config != nil {
		if err := server.Populate(ctx, config); err != nil {
			return fmt.Errorf("make the proxies of %s: %w", s.config, err)
		}
	}
	for _, spec := range specs {
		if _, err := server.Create(ctx, spec); err != nil {
			return fmt.Errorf("make the proxy %s: %w", spec.Name, err)
		}
	}
	fmt.Fprintf(a.stderr, "seed %d; Ctrl-C ends it\n", s.seed)
	return server.Serve(ctx, ln)
}

// endTLS is how links end TLS with the authority in a directory, which is made
// there when there is none. It is nil for no directory.
func endTLS(dir string) (link.EndTLS, error) {
	if dir == "" {
		return nil, nil
	}
	ca, err := authority.Load(dir, time.Now)
	if errors.Is(err, fs.ErrNotExist) {
		if ca, err = authority.New("rehearse link", time.Now); err == nil {
			err = ca.Save(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, client net.Conn, dial link.Dial, flaw string) (near, far net.Conn, err error) {
		n, f, err := authority.End(ctx, client, dial, authority.Options{Authority: ca, Flaw: authority.Flaw(flaw)})
		if err != nil {
			return nil, nil, err // not typed nils
		}
		return n, f, nil
	}, nil
}

// raiseFileLimit lets the process have as many files open as it may, and says
// how many connections that is if it is not many.
func raiseFileLimit() string {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return ""
	}
	if limit.Cur < limit.Max {
		if raised := (syscall.Rlimit{Cur: limit.Max, Max: limit.Max}); syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
			limit = raised
		}
	}
	return fileNote(limit.Cur)
}

// fileNote is what there is to say of a limit on open files. A connection has
// two, one on each side, and a hundred are for everything else.
func fileNote(files uint64) string {
	const plenty = 5000
	connections := (max(files, 100) - 100) / 2
	if connections >= plenty {
		return ""
	}
	return fmt.Sprintf("this process may have %d files open, which is room for %d connections at a time; raise the hard limit for more (ulimit -Hn)", files, connections)
}

// teller prints events in the background, so that a reader who is slow holds up
// nobody but itself. What it cannot keep it counts.
type teller struct {
	events chan toxiproxy.Event
	lost   atomic.Int64
	once   sync.Once
	done   chan struct{}
}

func newTeller(a *app, asJSON bool) *teller {
	t := &teller{events: make(chan toxiproxy.Event, 4096), done: make(chan struct{})}
	_, tty := terminal(a.stdout)
	encode := json.NewEncoder(a.stdout)
	go func() {
		defer close(t.done)
		for e := range t.events {
			if lost := t.lost.Swap(0); lost > 0 {
				fmt.Fprintf(a.stderr, "%d events are not printed: nobody read them in time\n", lost)
			}
			if asJSON {
				// Whoever read this is gone; the links go on.
				_ = encode.Encode(e)
				continue
			}
			fmt.Fprintln(a.stdout, eventLine(e, tty))
		}
	}()
	return t
}

func (t *teller) tell(e toxiproxy.Event) {
	select {
	case t.events <- e:
	default:
		t.lost.Add(1)
	}
}

// close prints what is left. No event comes after it.
func (t *teller) close() {
	t.once.Do(func() { close(t.events) })
	<-t.done
}

// eventLine is an event as one line: columns on a terminal, tabs in a pipe.
func eventLine(e toxiproxy.Event, tty bool) string {
	cells := []string{e.Name}
	switch {
	case e.Proxy == "":
		cells = append(cells, e.Listen)
	case e.Toxic != nil:
		cells = append(cells, e.Proxy, e.Toxic.Name, e.Toxic.Type, e.Toxic.Stream)
	default:
		cells = append(cells, e.Proxy, e.Listen, e.Upstream)
	}
	if e.Error != "" {
		cells = append(cells, e.Error)
	}
	if !tty {
		return strings.Join(cells, "\t")
	}
	for i, width := range []int{13, 20, 22} {
		if i < len(cells)-1 {
			cells[i] = fmt.Sprintf("%-*s", width, cells[i])
		}
	}
	return strings.Join(cells, "  ")
}
