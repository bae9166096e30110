package rehearse

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ExperimentStep breaks the running environment on purpose while a load goes on,
// in Chaos Toolkit's order: a steady state that holds before, a method, and a
// steady state that holds again. Its time line, from the start of its load:
//
//	0        Before                Before+Length()      +Recover          +After
//	├─steady──┼─────── method ───────┼───may be unsteady──┼─────steady──────┤
//
// In a leg without the facet faults the method does nothing, on the same time
// line: what staging would have said.
type ExperimentStep struct {
	Name string `json:"name"`
	// Load is what goes on meanwhile, under the experiment's name; its thresholds
	// hold of all of it.
	Load LoadStep `json:"load"`
	// Steady must hold of the requests of the stretches before and after; During
	// of those that start while the method is under way.
	Steady []Threshold `json:"steady"`
	During []Threshold `json:"during,omitempty"`
	// Checks are asked of the telemetry of the same stretches as Steady.
	Checks  []Check  `json:"checks,omitempty"`
	Before  Duration `json:"before"`
	Recover Duration `json:"recover"`
	After   Duration `json:"after"`
	Method  []Action `json:"method"` // by At, and then as they were written
	// Calm says that the method is only looked at, and nothing is broken.
	Calm bool `json:"calm,omitempty"`
	// Span is how long the whole method takes, where only a part of it is in force.
	Span Duration `json:"span,omitempty"`
}

// Length is how long the method takes, from the start of its first action's time
// line to the end of its last.
func (s ExperimentStep) Length() Duration {
	end := s.Span
	for _, a := range s.Method {
		end = max(end, a.At+a.For)
	}
	return end
}

// Total is how long the whole experiment takes.
func (s ExperimentStep) Total() Duration { return s.Before + s.Length() + s.Recover + s.After }

// MethodEnd is when the last action is over, from the start of the load.
func (s ExperimentStep) MethodEnd() Duration { return s.Before + s.Length() }

// Action is one thing that a method does, and undoes. Either Fault is set, with
// the links that it breaks, or Disruption, with the services that it befalls.
type Action struct {
	// Place is its place in the whole method, from 1, where only a part of that is in
	// force.
	Place int `json:"place,omitempty"`
	// Title is what reports call it: "us-east-1: partition", "db: kill".
	Title string   `json:"title"`
	At    Duration `json:"at"`  // since the method's start
	For   Duration `json:"for"` // and until it is undone; 0: it is over at once, as restart is

	Fault      *Fault        `json:"fault,omitempty"`
	Links      []LinkID      `json:"links,omitempty"`
	Disruption *Disruption   `json:"disruption,omitempty"`
	Services   []ServiceName `json:"services,omitempty"`
}

// Disruption is what happens to a service itself, and not to what it is sent.
type Disruption struct {
	Kind DisruptionKind `json:"kind"`
	// CPUs is what the service has left of the processor under DisruptCPU, in
	// cores.
	CPUs float64 `json:"cpus,omitempty"`
	// Memory is what the service has left under DisruptMemory, in bytes.
	Memory int64 `json:"memory,omitempty"`
	// Path is in the volume that DisruptDisk fills, as the service sees it; empty
	// is where its data lies.
	Path string `json:"path,omitempty"`
	// Offset is how far DisruptClock puts the service's clock forward, or back.
	Offset Duration `json:"offset,omitempty"`
}

// DisruptionKind is what happens to a service.
type DisruptionKind string

// The disruptions.
const (
	// Kill ends the service without a word, and keeps it down until it is undone:
	// then it is started again.
	DisruptKill DisruptionKind = "kill"
	// Restart ends the service politely and starts it again.
	DisruptRestart DisruptionKind = "restart"
	// Pause stops every process of the service where it is, and lets it go on when
	// it is undone. Its connections stay.
	DisruptPause DisruptionKind = "pause"
	// CPU and Memory leave the service less than it had, as a busy neighbour does.
	DisruptCPU    DisruptionKind = "cpu"
	DisruptMemory DisruptionKind = "memory"
	// Disk fills a volume of the service to its last byte.
	DisruptDisk DisruptionKind = "disk-full"
	// Clock puts the service's clock forward or back.
	DisruptClock DisruptionKind = "clock"
)

// disruptionDrivers are the drivers that can do each disruption.
var disruptionDrivers = map[DisruptionKind][]string{
	DisruptKill:    {"docker", "memory", "process"},
	DisruptRestart: {"docker", "memory", "process"},
	DisruptPause:   {"docker", "process"},
	DisruptCPU:     {"docker", "process"},
	DisruptMemory:  {"docker", "process"},
	DisruptDisk:    {"docker", "process"},
	DisruptClock:   {},
}

// DisruptionKinds are all kinds, in the order of the alphabet.
func DisruptionKinds() []DisruptionKind { return slices.Sorted(maps.Keys(disruptionDrivers)) }

// Drivers are those that can do a disruption, in the order of the alphabet. A host
// may lack what a driver needs for it; then the environment says so when it is
// asked.
func (k DisruptionKind) Drivers() []string { return disruptionDrivers[k] }

// SetParameter sets one parameter by its name in Disruption's JSON, as a person
// writes it. Whether the kind takes it, Validate says.
func (d *Disruption) SetParameter(name, value string) (err error) {
	switch name {
	case "cpus":
		d.CPUs, err = strconv.ParseFloat(value, 64)
		err = plain(err)
	case "memory":
		d.Memory, err = ParseBytes(value)
	case "path":
		d.Path = value
	case "offset":
		err = readDuration(&d.Offset, value)
	default:
		return fmt.Errorf("%s takes no %s", d.Kind, name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Validate reports everything that is wrong with a disruption, as one error of
// kind Invalid, or nil.
func (d Disruption) Validate() error {
	if _, known := disruptionDrivers[d.Kind]; !known {
		var names []string
		for _, k := range DisruptionKinds() {
			names = append(names, string(k))
		}
		return &Error{
			Kind: Invalid, Msg: fmt.Sprintf("nothing called %q can happen to a service%s", d.Kind, didYouMean(string(d.Kind), names)),
			Hint: "To a service itself happen " + strings.Join(names, ", ") + "; every other fault happens to its links.",
		}
	}
	var wrong []string
	for _, p := range []struct {
		name  string
		kind  DisruptionKind
		given bool
		must  bool
	}{
		{"cpus", DisruptCPU, d.CPUs != 0, true}, {"memory", DisruptMemory, d.Memory != 0, true},
		{"path", DisruptDisk, d.Path != "", false}, {"offset", DisruptClock, d.Offset != 0, true},
	} {
		switch {
		case p.given && d.Kind != p.kind:
			wrong = append(wrong, "it takes no "+p.name)
		case !p.given && d.Kind == p.kind && p.must:
			wrong = append(wrong, "it needs "+p.name)
		}
	}
	if d.CPUs < 0 || d.Memory < 0 {
		wrong = append(wrong, "what is left is negative")
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Error{
		Kind: Invalid, Msg: fmt.Sprintf("%s: %s", d.Kind, strings.Join(wrong, "; ")),
		Hint: "cpu takes cpus, memory takes memory, disk-full may take path, clock takes offset; kill, restart and pause take nothing.",
	}
}

// ActionEvent says that an action of a method has begun, or is over.
type ActionEvent struct {
	Step   string `json:"step"`
	Action int    `json:"action"` // its place in the method
	// Over is false where it begins.
	Over bool     `json:"over,omitempty"`
	At   Duration `json:"at"` // since the start of the experiment's load
	// Doses are what its fault has touched, link by link, when it is over.
	Doses []LinkDose `json:"doses,omitempty"`
	// Error says why it could not be begun, or undone.
	Error string `json:"error,omitempty"`
}

// LinkDose is the dose of one fault on one link.
type LinkDose struct {
	Link LinkID `json:"link"`
	Dose Dose   `json:"dose"`
}
