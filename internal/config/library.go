package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Named is an experiment of the library: a method without a target.
type Named struct {
	Name string
	// Target is the key that its target usually stands under.
	Target string
	// Doc says what happens, as a sentence.
	Doc    string
	method []Action
}

// Disrupts are the disruptions of services among its actions.
func (n Named) Disrupts() []rehearse.DisruptionKind {
	var out []rehearse.DisruptionKind
	for _, a := range n.method {
		if a.Disrupts() {
			out = append(out, rehearse.DisruptionKind(a.Fault.Name))
		}
	}
	return out
}

// Library is every named experiment.
var Library = []Named{
	{Name: "dependency-down", Target: "link", Doc: "A dependency refuses connections and ends those that there are.",
		method: []Action{breaks("refuse", 0, 10), breaks("reset", 0, 10)}},
	{Name: "dependency-slow", Target: "link", Doc: "A dependency answers 300 ms late.",
		method: []Action{breaks("delay", 0, 10, "delay", "300ms", "direction", "down")}},
	{Name: "region-outage", Target: "region", Doc: "Nothing gets into a region.",
		method: []Action{breaks("partition", 0, 10)}},
	{Name: "region-latency", Target: "region", Doc: "The way into a region takes 100 ms longer, give or take 20.",
		method: []Action{breaks("delay", 0, 10, "delay", "100ms", "jitter", "20ms", "direction", "up")}},
	{Name: "packet-loss", Target: "link", Doc: "A network loses 5 % of the packets, three in a row.",
		method: []Action{breaks("loss", 0, 10, "share", "5%", "burst", "3")}},
	{Name: "flapping-network", Target: "link", Doc: "A network is gone for one second in three.",
		method: []Action{flaps("partition", 12, 3, 1)}},
	{Name: "connection-reset-storm", Target: "link", Doc: "Every second, all connections are reset.",
		method: []Action{flaps("reset", 10, 1, 0.1)}},
	{Name: "database-failover", Target: "service", Doc: "A database ends its connections, is away for 3 seconds, and takes no writes for 3 more.",
		method: []Action{breaks("reset", 0, 3), breaks("refuse", 0, 3), breaks("read-only", 3, 3)}},
	{Name: "cold-restart", Target: "service", Doc: "A service is restarted, and comes back with nothing in memory.",
		method: []Action{breaks("restart", 0, 0)}},
	{Name: "slow-consumer", Target: "link", Doc: "Clients take answers in at 256 kbit/s.",
		method: []Action{breaks("rate", 0, 10, "rate", "256Kbit", "direction", "down")}},
}

// breaks is an action from a second to a number of seconds later.
func breaks(fault string, at, seconds float64, parameters ...string) Action {
	a := Action{Fault: Ref{Name: fault}, At: ofSeconds(at), Parameters: map[string]string{}}
	if seconds > 0 {
		a.For = ofSeconds(seconds)
	}
	for i := 0; i < len(parameters); i += 2 {
		a.Parameters[parameters[i]] = parameters[i+1]
	}
	return a
}

// flaps is an action that comes and goes.
func flaps(fault string, seconds, every, each float64) Action {
	a := breaks(fault, 0, seconds)
	a.Every, a.Each = *ofSeconds(every), *ofSeconds(each)
	return a
}

func ofSeconds(s float64) *rehearse.Duration {
	d := rehearse.Duration(s * float64(time.Second))
	return &d
}

var libraryName = kind{name: "experiment of the library", parse: parseLibraryName, schema: map[string]any{"enum": LibraryNames()}}

// LibraryNames are the names of the library, in its order.
func LibraryNames() []string {
	var out []string
	for _, n := range Library {
		out = append(out, n.Name)
	}
	return out
}

// Find is the named experiment of the library.
func Find(name string) (Named, bool) {
	i := slices.IndexFunc(Library, func(n Named) bool { return n.Name == name })
	if i < 0 {
		return Named{}, false
	}
	return Library[i], true
}

func parseLibraryName(s string) error {
	if _, ok := Find(s); ok {
		return nil
	}
	if near, ok := rehearse.Nearest(s, LibraryNames()); ok {
		return fmt.Errorf("the library has no experiment %q; did you mean %s?", s, near)
	}
	return fmt.Errorf("the library has no experiment %q; it has %s", s, strings.Join(LibraryNames(), ", "))
}

// Actions are the experiment's method: its own, or that of the library with the
// target and the parameters that stand beside its name. A problem says what is
// wrong with these.
func (e Experiment) Actions() (actions []Action, problem string) {
	if e.Use.Name == "" {
		return e.Method, ""
	}
	named, ok := Find(e.Use.Name)
	if !ok {
		return nil, parseLibraryName(e.Use.Name).Error()
	}
	target, _ := e.Target.Get()
	if target == "" {
		return nil, fmt.Sprintf("%s needs a target, as in %s", named.Name, named.Target)
	}
	unused := maps.Clone(e.Parameters)
	for _, a := range named.method {
		a.Target, a.Fault.Line = e.Target, e.Use.Line
		if e.For != nil && a.For != nil {
			if *a.At > 0 { // what follows the one before it still does
				at := *a.At / *a.For * *e.For
				a.At = &at
			}
			a.For = e.For
		}
		parameters := maps.Clone(a.Parameters)
		for name, value := range e.Parameters {
			if a.Disrupts() || rehearse.FaultKind(a.Fault.Name).Takes(name) {
				parameters[name] = value
				delete(unused, name)
			}
		}
		a.Parameters = parameters
		var err error
		if a.Disrupts() {
			_, err = a.MakeDisruption()
		} else {
			_, err = a.MakeFault()
		}
		switch {
		case err != nil:
			return nil, strings.ReplaceAll(err.Error(), "\n", "; ")
		case a.Disrupts() && target == "link":
			return nil, a.Fault.Name + " happens to a service; name that, in the place of the link"
		case a.Every > a.Length():
			return nil, fmt.Sprintf("for is shorter than the %v after which %s comes again", a.Every, a.Fault.Name)
		case e.For != nil && *e.For == 0:
			return nil, "for is 0: nothing would happen"
		}
		actions = append(actions, a)
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		return nil, fmt.Sprintf("%s takes no %s", named.Name, name)
	}
	return actions, ""
}
