// Package driver is the seam between a plan and the place where services run.
//
// A [Driver] makes an [Environment] for a plan. The environment gives the caller
// exactly what links need, a place to listen as the client sees it and a way to
// dial as the upstream sees it, and what services need: start, stop, exec. It
// knows nothing of links, readiness, order or verdicts; those are the caller's,
// and so are the same on every driver.
//
// A new driver implements the two interfaces and passes the conformance suite
// in package drivertest. What it cannot do, it says in its [Capabilities].
package driver

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Driver makes environments of one kind. Its methods may be called at once from
// several goroutines.
type Driver interface {
	// Name is what --driver takes: "process", "docker", "kube", "memory".
	Name() string
	// Capabilities says what environments of this driver can do on this host.
	// It changes nothing.
	Capabilities(ctx context.Context) Capabilities
	// Open makes an empty environment. After an error nothing is left of it.
	Open(ctx context.Context, spec Spec) (Environment, error)
	// List finds everything of ours that exists on this host, asked of the host
	// and not of our own records, in the order in which it is to be removed.
	List(ctx context.Context) ([]Remnant, error)
	// Remove ends one thing that List found. It must not touch anything that
	// does not carry our label. Removing what is already gone is no error.
	Remove(ctx context.Context, r Remnant) error
}

// Imager is a driver whose services run from images, which say on what ports they
// listen.
type Imager interface {
	// Exposed lists the TCP ports that a service's image exposes, sorted; ok is false
	// when it is not known. An image that is not there is pulled, as Prepare would,
	// when pull is not nil: it receives the progress.
	Exposed(ctx context.Context, service rehearse.Service, pull io.Writer) (ports []int, ok bool)
}

// Sweeper is a driver that keeps what it has made once for all environments.
type Sweeper interface {
	// Sweep removes what other programs of ours have kept so, as those before an
	// update, and nobody uses. It says what, a line for each.
	Sweep(ctx context.Context) (removed []string, err error)
}

// Capabilities is what a driver can do on this host.
type Capabilities struct {
	// Available is false when no environment can be made here; Why says why,
	// and Hint what would change that.
	Available bool
	Why, Hint string
	// Tier is how well environments are isolated, as in "namespaces".
	Tier string
	// Facts go into the evidence and into what doctor prints.
	Facts []rehearse.Fact
}

// Spec is what an environment is made from.
type Spec struct {
	ID   rehearse.EnvironmentID
	Plan *rehearse.Plan
	// Dir is a directory of the environment's own on the host. It exists, and
	// the caller removes it after Close.
	Dir string
	// Authority is the certificate that services are to trust, in PEM: that of
	// the links that end TLS. Nil when there are none.
	Authority []byte
	// Journal is told of each thing before it is created. Never nil.
	Journal Journal
	// OnFact is told of each of the environment's facts as it comes to be known, from
	// any goroutine; it returns at once. May be nil.
	OnFact func(rehearse.Fact)
	// Log receives the talk of builds and data preparation. Never nil.
	Log io.Writer
	// Fill puts the rows of a service's dataset into its database, once for
	// every golden copy of it; FillKey is everything that Fill's result depends
	// on beside the service's own entry in the plan. They are called for services
	// with Data, and only nil when no service has any.
	Fill    func(ctx context.Context, service rehearse.Service, into Filling) error
	FillKey func(service rehearse.Service) ([]string, error)
}

// Filling is a database that runs so that it can be filled, with its schema and
// without rows.
type Filling struct {
	Engine                   string // "postgres", "mariadb", "mysql"
	Dial                     func(ctx context.Context) (net.Conn, error)
	User, Password, Database string // who may do everything
}

// Journal records what is about to be created outside the environment's own
// directory, so that it can be found after a crash.
type Journal interface {
	// Intend returns once the record is durable.
	Intend(r Remnant) error
	// Confirm says that it exists now, or that it is gone again.
	Confirm(r Remnant, exists bool) error
}

// Labels are the environment variables by which processes of an environment are
// known, wherever they run. state tells the environments of one user or state
// directory from those of another.
func Labels(id rehearse.EnvironmentID, state string) []string {
	return []string{LabelEnvironment + "=" + string(id), LabelState + "=" + state}
}

// The names of the labels.
const (
	LabelEnvironment = "REHEARSE_ENVIRONMENT"
	LabelState       = "REHEARSE_STATE"
)

// Remnant is one thing outside of an environment's directory that carries the
// environment's label.
type Remnant struct {
	Environment rehearse.EnvironmentID `json:"environment"`
	Kind        string                 `json:"kind"` // "process", "cgroup", "clone", "container", …
	Name        string                 `json:"name"` // unique for its kind on this host
}

// Environment is one isolated place for services. Its methods may be called at
// once from several goroutines. Close ends everything that the others started.
type Environment interface {
	// Listen gives a listener that the client reaches under any of the names
	// and the port. The client [rehearse.Ingress] and its regional variants are
	// the host's own loopback. Listeners for a client must be made before the
	// client starts: a client's names are fixed then.
	Listen(ctx context.Context, client rehearse.ServiceName, names []string, port int) (net.Listener, Address, error)
	// Dial connects to a port of a service, from inside. It fails with
	// ECONNREFUSED while nothing listens.
	Dial(ctx context.Context, upstream rehearse.ServiceName, port int) (net.Conn, error)
	// Prepare builds what the service needs and what may take long the first
	// time: its program, its data. Start calls for nothing more to be built.
	Prepare(ctx context.Context, service rehearse.ServiceName) error
	// Start starts a prepared service, or starts it again after it has exited.
	Start(ctx context.Context, service rehearse.ServiceName, out Output) (Process, error)
	// Exec runs a command inside a started service and returns its exit code.
	Exec(ctx context.Context, service rehearse.ServiceName, cmd Command) (int, error)
	// Usage is what a started service uses now.
	Usage(ctx context.Context, service rehearse.ServiceName) (Usage, error)
	// Facts says how the environment was made where that bears on fidelity.
	Facts() []rehearse.Fact
	// Close ends every service, at once, and removes what the environment
	// made, in reverse. It may be called more than once.
	Close(ctx context.Context) error
}

// Resetter is an environment that can give a service its first data again.
type Resetter interface {
	// Reset throws away what a service has written since it was prepared. The
	// service must have ended; its next Start finds its data as its first did.
	Reset(ctx context.Context, service rehearse.ServiceName) error
}

// Disruptor is an environment that can do to a service what befalls services in
// production.
type Disruptor interface {
	// Disrupt does what the disruption means to every instance of a started
	// service, until undo is called; the service's end undoes it too, and so does
	// Close. It is never asked for kill and restart, which are the caller's. After
	// an error nothing has changed.
	Disrupt(ctx context.Context, service rehearse.ServiceName, d rehearse.Disruption) (undo func(context.Context) error, err error)
}

// Copier is an environment whose services have files that can be copied. What is
// wrong with a place is an error of kind Invalid.
type Copier interface {
	// Stat says what lies at a place.
	Stat(ctx context.Context, at Place) (FileInfo, error)
	// ReadFiles writes what lies at a place, a file or a directory with all that is
	// below it, as a tar archive. The first element of its names is the place's own
	// name.
	ReadFiles(ctx context.Context, at Place, to io.Writer) error
	// WriteFiles unpacks a tar archive into a directory, which exists. What it makes
	// belongs to the user that the service was started as.
	WriteFiles(ctx context.Context, at Place, from io.Reader) error
}

// Place is where a file of a started service is.
type Place struct {
	Service  rehearse.ServiceName `json:"service"`
	Instance int                  `json:"instance"` // from 1
	Path     string               `json:"path"`     // absolute, in the service's view
}

// Missing is the error that nothing lies at a place.
func (p Place) Missing() error {
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q has no %s", p.Service, p.Path),
		Hint: "Paths count from the service's root directory; rehearse exec shows what is there.",
	}
}

// NoInstance is the error that a service has not so many instances.
func (p Place) NoInstance(has int) error {
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q has no instance %d", p.Service, p.Instance),
		Hint: fmt.Sprintf("They count from 1, and it has %d.", has),
	}
}

// FileInfo is what lies at a place.
type FileInfo struct {
	Dir  bool   `json:"dir"`
	Link string `json:"link,omitempty"` // where a symbolic link leads, as an absolute path; empty for all else
}

// Checker is an environment that knows of checks which no file of the project
// speaks of.
type Checker interface {
	// Healthcheck is the check that a prepared service's image brings along; ok is
	// false when it brings none.
	Healthcheck(service rehearse.ServiceName) (probe rehearse.Probe, ok bool)
}

// Keeper is an environment that something else keeps, as an engine does, and that
// can be lost as a whole.
type Keeper interface {
	// Lost gives one error when what keeps the environment has gone away beneath
	// it, and nothing when Close ends it.
	Lost() <-chan error
}

// Watcher is an environment of which what keeps it tells what happens to its
// containers, whoever does it.
type Watcher interface {
	// Watch calls told with every event since the environment was opened, in order,
	// and goes on with those that come, until ctx ends or the environment has. Of
	// very many, the oldest are left out. Several may watch at once.
	Watch(ctx context.Context, told func(Event))
}

// Event is one thing that happened to a container.
type Event struct {
	Time time.Time `json:"time"` // by the keeper's clock
	rehearse.Happening
	Container  string            `json:"container,omitempty"`  // its name
	Attributes map[string]string `json:"attributes,omitempty"` // in the keeper's words, as in "exitCode"
}

// Reserver is an environment that knows where a link will listen before it can
// listen there. Services may be prepared when all of their clients' addresses have
// been reserved, and those that are no link's client started, while Listen waits.
// It is no [Carrier].
type Reserver interface {
	// Reserve gives the address that Listen will give for the same client, names
	// and port. It does not wait.
	Reserve(client rehearse.ServiceName, names []string, port int) (Address, error)
}

// Finisher is an environment whose end takes long enough that it is worth knowing
// of beforehand.
type Finisher interface {
	// Finish says that whatever still runs has been asked to end, that nothing will
	// be started, and that Close comes when it has ended. It does not wait.
	Finish()
}

// Carrier is an environment that can carry the shapes of links below the
// kernel's TCP, as packets that are delayed and lost.
type Carrier interface {
	// Carries says whether it carries a link of its plan so. It does not
	// change.
	Carries(link rehearse.LinkSpec) bool
	// Carry gives what carries the link's shape. It is called after the link's
	// Listen.
	Carry(link rehearse.LinkSpec) (Carried, error)
}

// Carried is a link's path below it. Neither function waits for the traffic.
type Carried struct {
	Set func(rehearse.Shape)
	// Delay is what was asked of packets, what they were given, and by how much
	// that was off.
	Delay func() (asked, given, off rehearse.Quantiles)
}

// Address is a host and port in the view of whoever will dial it.
type Address struct {
	Host string
	Port int
}

// String is "host:port".
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// Output is where a service's two streams go. Writes come from one goroutine
// per stream.
type Output struct {
	Stdout, Stderr io.Writer
}

// Process is a started service.
type Process interface {
	// Done is closed when the service and everything it started has ended.
	Done() <-chan struct{}
	// Exit is how it ended; valid after Done.
	Exit() Exit
	// Signal asks the service to stop or to do what the signal means to it.
	Signal(sig os.Signal) error
	// Kill ends the service and everything it started.
	Kill() error
}

// Asked is a process of whose end somebody else tells, who may be late.
type Asked interface {
	// Runs asks whether it still does, now. It is true where there is no answer.
	Runs(ctx context.Context) bool
}

// Exit is how a service ended.
type Exit struct {
	Code   int    // 128+N after signal N
	Reason string // "exit 1", "signal: killed", "out of memory"
	// OutOfMemory says that the kernel ended it at its memory limit.
	OutOfMemory bool
	// Lost says that nobody knows: what ran the service has gone away, as an engine
	// that was stopped.
	Lost bool
}

// Command is what Exec runs. Stdin may be nil. When a stream is an *os.File, it
// is handed over as it is, so that a terminal stays one.
type Command struct {
	Args           []string
	Env            map[string]string // added to the service's own
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Megabytes is a number of bytes as facts and errors say it.
func Megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Usage is what a service uses.
type Usage struct {
	Memory    int64             `json:"memory"` // resident, in bytes; shared memory in equal shares where the host tells
	CPU       rehearse.Duration `json:"cpu"`    // since its start
	Processes int               `json:"processes"`
	// Throttled is since its start, too; zero where it has no limit of CPU time, or
	// nobody counts.
	Throttled rehearse.Throttling `json:"throttled,omitzero"`
}
