package rehearse

import "time"

// Record is one line of evidence. Exactly one of its pointers is set. A leg's
// evidence starts with Begin and, unless it was cut short, closes with End.
type Record struct {
	Time    time.Time     `json:"time"`
	Begin   *Begin        `json:"begin,omitempty"`
	Service *ServiceEvent `json:"service,omitempty"`
	Link    *LinkEvent    `json:"link,omitempty"`
	Tick    *Tick         `json:"tick,omitempty"`
	Load    *LoadResult   `json:"load,omitempty"`
	Suite   *SuiteResult  `json:"suite,omitempty"`
	Links   *LinksResult  `json:"links,omitempty"`
	Fact    *Fact         `json:"fact,omitempty"`
	// Action is a moment of an experiment's method.
	Action *ActionEvent `json:"action,omitempty"`
	// Happening is what befell a service beneath it.
	Happening *Happening `json:"happening,omitempty"`
	// Usage is what services with a limit of CPU time used in a step.
	Usage *UsageResult `json:"usage,omitempty"`
	// Migration is what a change's migrations did, Churn what was written beside a
	// load, and Plans how the plans of statements changed.
	Migration *MigrationResult `json:"migration,omitempty"`
	Churn     *ChurnResult     `json:"churn,omitempty"`
	Plans     *PlansResult     `json:"plans,omitempty"`
	// Spent is what the leg's environment took of the host, before it went down.
	Spent *Spent `json:"spent,omitempty"`
	// Telemetry says what telemetry the leg left, when its environment is down.
	Telemetry *TelemetryResult `json:"telemetry,omitempty"`
	End       *End             `json:"end,omitempty"`
}

// Begin opens a leg's evidence.
type Begin struct {
	Version     string        `json:"version"` // of rehearse
	Environment EnvironmentID `json:"environment"`
	Plan        Plan          `json:"plan"` // with secrets replaced
}

// ServiceState is where a service is in its life.
type ServiceState string

// The states of a service, in the usual order.
const (
	Waiting  ServiceState = "waiting"  // for what it needs
	Building ServiceState = "building" // or preparing data
	Starting ServiceState = "starting" // the process runs, not every probe has held
	Ready    ServiceState = "ready"
	Done     ServiceState = "completed" // a job that exited 0
	Stopped  ServiceState = "stopped"   // by us
	Failed   ServiceState = "failed"    // exited, or never became ready
)

// ServiceEvent is a change of a service's state.
type ServiceEvent struct {
	Service  ServiceName  `json:"service"`
	State    ServiceState `json:"state"`
	After    Duration     `json:"after,omitempty"`    // since the service's start
	ExitCode *int         `json:"exitCode,omitempty"` // when it exited; 128+N after signal N
	Reason   string       `json:"reason,omitempty"`   // how its process ended, as in "exit 1" or "out of memory"
	Again    bool         `json:"again,omitempty"`    // it is started again, as its restart policy asks
	Reset    bool         `json:"reset,omitempty"`    // it is given its first data again
	Detail   string       `json:"detail,omitempty"`   // why it failed, as a sentence
	LogTail  []string     `json:"logTail,omitempty"`  // the last lines before it failed
	// OutOfMemory says that the kernel had ended it at its memory limit.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
	// Restart counts, from 1, how often the service has been started again after an
	// end, as its restart policy asks; zero where it is not.
	Restart int `json:"restart,omitempty"`
	// Lost says that what ran the service went away beneath it: nothing that was
	// seen from then on speaks against the project.
	Lost bool `json:"lost,omitempty"`
}

// Happening is something that what runs the services tells of them, as an engine
// does of its containers.
type Happening struct {
	// Service is empty for what befell the environment as a whole: its network, its
	// link container, the engine itself.
	Service ServiceName `json:"service,omitempty"`
	Action  string      `json:"action"` // in the engine's word, as in "pause"
	// Outside says that neither rehearse nor the service's own program did it.
	Outside bool `json:"outside,omitempty"`
	// Detail is a clause without a full stop, as in "api was paused".
	Detail string `json:"detail"`
	// For is how long it had lasted when this was its end.
	For Duration `json:"for,omitempty"`
}

// The actions that mean something to a verdict beyond being somebody's.
const (
	HappenedPause   = "pause"
	HappenedUnpause = "unpause"
	HappenedOOM     = "oom" // a process of the service was killed: out of memory
)

// LinkEvent is a change of a link: of its faults, or of its shape.
type LinkEvent struct {
	Link LinkID `json:"link"`
	By   string `json:"by"` // "plan", "person", "toxiproxy"
	// Set are the faults that it has now and did not have so before, and Cleared
	// names those that it has no more.
	Set     []Fault  `json:"set,omitempty"`
	Cleared []string `json:"cleared,omitempty"`
	Shape   *Shape   `json:"shape,omitempty"` // nil: as it was
}

// UsageResult is what services with a limit of CPU time used in a step.
type UsageResult struct {
	Step     string         `json:"step"`
	Services []ServiceUsage `json:"services"`
}

// ServiceUsage is what one service used in a step.
type ServiceUsage struct {
	Service   ServiceName `json:"service"`
	CPU       Duration    `json:"cpu"`    // all its threads' time
	Memory    int64       `json:"memory"` // in bytes, at the step's end
	Throttled Throttling  `json:"throttled"`
}

// Throttling is how the kernel holds a service to its limit of CPU time, which is
// one of so much in each period of a tenth of a second or so.
type Throttling struct {
	Periods   int64    `json:"periods"`   // in which it wanted to run
	Throttled int64    `json:"throttled"` // those in which it had used up its share
	For       Duration `json:"for"`       // how long it was kept from running, on all CPUs together
}

// Share is the part of periods in which it was throttled, from 0 to 1.
func (t Throttling) Share() float64 {
	if t.Periods <= 0 {
		return 0
	}
	return float64(t.Throttled) / float64(t.Periods)
}

// Since is what has come to t since an earlier reading; where the service has been
// started anew in between, all of it.
func (t Throttling) Since(earlier Throttling) Throttling {
	if t.Periods < earlier.Periods {
		return t
	}
	return Throttling{Periods: t.Periods - earlier.Periods, Throttled: t.Throttled - earlier.Throttled, For: t.For - earlier.For}
}

// Tick is the state of every link at a moment, for charts.
type Tick struct {
	Since Duration   `json:"since"` // the start of the step
	Step  string     `json:"step,omitempty"`
	Links []LinkTick `json:"links"`
}

// LinkTick is the moving part of a link's statistics.
type LinkTick struct {
	ID         LinkID `json:"id"`
	Active     int64  `json:"active"`
	InFlight   int64  `json:"inFlight"`
	RoundTrips int64  `json:"roundTrips"` // since the link's start
	Bytes      int64  `json:"bytes"`      // both directions, since the link's start
}

// LinksResult is what every link saw from the start to the end of the leg.
type LinksResult struct {
	Links []LinkStats `json:"links"`
}

// Fact is something about how the environment was made that a reader must know
// to trust the run: the driver's tier, a limit that was not applied.
type Fact struct {
	Name  string `json:"name"`  // as in "driver.tier"
	Value string `json:"value"` // as in "namespaces"
	Note  string `json:"note,omitempty"`
}

// FactRefused names the facts that a service tried to reach what no link leads to,
// as in "worker → example.com".
const FactRefused = "egress.refused"

// Sample is one request of a load step. All times count from the load's start.
type Sample struct {
	Intended Duration `json:"i"` // when the profile says that it starts
	Sent     Duration `json:"s"` // when it really started
	End      Duration `json:"e"` // when the answer was complete, or the request failed
	Request  string   `json:"r"` // the request's name
	Origin   Region   `json:"o,omitempty"`
	Status   int      `json:"c,omitempty"` // 0 when there was no answer
	Bytes    int64    `json:"b,omitempty"` // of the response's body
	Error    string   `json:"x,omitempty"` // "timeout", "refused", "reset", "eof", "status", or another short word
	// Passed and Missed count the request's checks: its status and its texts.
	Passed int `json:"p,omitempty"`
	Missed int `json:"m,omitempty"`
	// Dropped is true for a request that the generator could not send in time, or
	// took back when it was interrupted; it says nothing of the service.
	Dropped bool `json:"d,omitempty"`
}

// Duration is the request's latency from its intended start.
func (s Sample) Duration() time.Duration { return time.Duration(s.End - s.Intended) }

// LoadResult says that a load step ran, and where its samples are.
type LoadResult struct {
	Step    string   `json:"step"`
	Samples string   `json:"samples"` // a file in the leg's directory
	Count   int      `json:"count"`   // samples in that file
	SHA256  string   `json:"sha256"`  // of that file
	Elapsed Duration `json:"elapsed"`
	// Asked and Sent are arrivals that the profile asked for and that were
	// really sent; Late is how far sending lagged behind the profile.
	Asked int       `json:"asked"`
	Sent  int       `json:"sent"`
	Late  Quantiles `json:"late,omitzero"`
}

// SuiteResult says how one of the team's own suites ended.
type SuiteResult struct {
	Step     string   `json:"step"`
	ExitCode int      `json:"exitCode"`
	Elapsed  Duration `json:"elapsed"`
	Skipped  string   `json:"skipped,omitempty"` // why it did not run
	TimedOut bool     `json:"timedOut,omitempty"`
	Tests    []Test   `json:"tests,omitempty"`
	Output   string   `json:"output,omitempty"` // a file in the leg's directory
	Tail     []string `json:"tail,omitempty"`   // the last lines of its output, when it failed
	// Notes say what of its results could not be read or kept.
	Notes     []string `json:"notes,omitempty"`
	Artifacts []string `json:"artifacts,omitempty"` // files and directories in the leg's directory
}

// Test is one test case of a suite's own results.
type Test struct {
	Name    string   `json:"name"`
	Outcome string   `json:"outcome"` // "passed", "failed", "skipped"
	Elapsed Duration `json:"elapsed,omitempty"`
	Message string   `json:"message,omitempty"`
}

// End closes a leg's evidence.
type End struct {
	Elapsed Duration `json:"elapsed"`
	Error   string   `json:"error,omitempty"` // why the leg ended before its last step
	Left    []string `json:"left,omitempty"`  // what tearing down could not remove
}

// Evidence is what verdicts are made of: a leg's records and the samples of its
// load steps, by step.
type Evidence struct {
	Records []Record
	Samples map[string][]Sample
	// Telemetry is what the leg's files of spans and logs come to; nil when there
	// are none.
	Telemetry *Telemetry
	// Damage lists what is missing or unreadable, as complete sentences.
	Damage []string
}

// Plan is the plan of the leg; nil when the evidence does not even have that.
func (e *Evidence) Plan() *Plan {
	for i := range e.Records {
		if b := e.Records[i].Begin; b != nil {
			return &b.Plan
		}
	}
	return nil
}
