package rehearse

import (
	"path"
	"strings"
)

// Plan is what will be done: canonical, deterministic, printable. Two plans made
// from the same files for the same leg are equal, byte for byte, in JSON.
type Plan struct {
	Project  string    `json:"project"`
	Dir      string    `json:"dir"` // absolute; every relative path below starts here
	Files    []string  `json:"files"`
	Leg      Leg       `json:"leg"`
	Seed     uint64    `json:"seed"` // of every random choice in the run
	Driver   string    `json:"driver"`
	Services []Service `json:"services"` // in an order that satisfies every need
	// Volumes lists the named volumes, each private to the environment.
	Volumes []string   `json:"volumes,omitempty"`
	Links   []LinkSpec `json:"links"`
	Steps   []Step     `json:"steps"`
	// Checks are asked of the leg's telemetry after the last step.
	Checks    []Check       `json:"checks,omitempty"`
	Telemetry TelemetrySpec `json:"telemetry,omitzero"`
	Prices    Prices        `json:"prices,omitzero"` // of what it takes of the host
	Notes     []Note        `json:"notes,omitempty"`
}

// Note is something that the reader of a plan should know and that is no error:
// a Compose field that the driver does not honour, a port that nobody declared.
type Note struct {
	Service ServiceName `json:"service,omitempty"`
	Field   string      `json:"field,omitempty"` // as in "privileged", "deploy.placement"
	Text    string      `json:"text"`            // a complete sentence
}

// Service is one service of the Compose file, with what rehearse.yaml adds.
type Service struct {
	Name       ServiceName       `json:"name"`
	Region     Region            `json:"region,omitempty"`
	Image      string            `json:"image,omitempty"`
	Build      *Build            `json:"build,omitempty"`
	Entrypoint []string          `json:"entrypoint,omitempty"` // nil: the image's own
	Command    []string          `json:"command,omitempty"`    // nil: the image's own
	Env        map[string]string `json:"env,omitempty"`
	WorkingDir string            `json:"workingDir,omitempty"`
	User       string            `json:"user,omitempty"`
	Hostname   string            `json:"hostname,omitempty"`
	// Aliases are further names that other services know this one by.
	Aliases    []string  `json:"aliases,omitempty"`
	Networks   []string  `json:"networks,omitempty"`
	Ports      []Port    `json:"ports,omitempty"` // every port it is known to listen on, sorted
	Mounts     []Mount   `json:"mounts,omitempty"`
	Needs      []Need    `json:"needs,omitempty"`
	Ready      Readiness `json:"ready"`
	Limits     Limits    `json:"limits,omitzero"`
	StopSignal string    `json:"stopSignal,omitempty"` // "SIGTERM" when empty
	StopGrace  Duration  `json:"stopGrace,omitempty"`  // 10 s when zero
	Restart    string    `json:"restart,omitempty"`    // as in Compose: "", "no", "always", "on-failure[:N]", "unless-stopped"
	// Job is true for a one-shot service: exit 0 is success.
	Job     bool     `json:"job,omitempty"`
	Process *Process `json:"process,omitempty"`
	// Container is what only a container engine can do for it; nil in plans of
	// other drivers.
	Container *Container `json:"container,omitempty"`
	// Recipe names the recipe by which the process driver starts the image
	// from the host's binaries; empty when none fits or Process says how.
	Recipe string `json:"recipe,omitempty"`
	// SQL lists the files of the service's dataset, loaded in order after the
	// image's own initialisation scripts.
	SQL []string `json:"sql,omitempty"`
	// Dataset names the service's dataset where it is not the same in every leg.
	Dataset string `json:"dataset,omitempty"`
	// Data is the service's dataset where it is more than files; nil: none.
	Data *DataSpec `json:"data,omitempty"`
}

// Build is how Compose builds the service's image.
type Build struct {
	Context    string            `json:"context"`
	Dockerfile string            `json:"dockerfile,omitempty"`
	Inline     string            `json:"inline,omitempty"` // the Dockerfile's text, in the file's place
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Network    string            `json:"network,omitempty"` // of the build's own commands
	CacheFrom  []string          `json:"cacheFrom,omitempty"`
	Contexts   map[string]string `json:"contexts,omitempty"` // additional_contexts: name → path or URL
	Platform   string            `json:"platform,omitempty"`
	ShmSize    int64             `json:"shmSize,omitempty"` // bytes
	NoCache    bool              `json:"noCache,omitempty"`
	Pull       bool              `json:"pull,omitempty"`
	// Secrets and SSH are for the Dockerfile's RUN --mount. An entry of SSH is
	// "ID" for the agent of whoever builds, or "ID=PATH" for a key or socket.
	Secrets    []BuildSecret       `json:"secrets,omitempty"`
	SSH        []string            `json:"ssh,omitempty"`
	ExtraHosts map[string][]string `json:"extraHosts,omitempty"` // name → addresses
}

// BuildSecret is a secret of a build, in a file or in the environment variable
// whose name is Env.
type BuildSecret struct {
	ID   string `json:"id"`
	File string `json:"file,omitempty"`
	Env  string `json:"env,omitempty"`
}

// Process is how the process driver builds and starts a service that has no
// recipe. In Command and Env, ${out} is the build's output directory, ${NAME.host}
// and ${NAME.port} are another service as this one sees it, and ${listen.host}
// and ${listen.port} are where to listen.
type Process struct {
	Build   []string          `json:"build,omitempty"` // run in Dir before the start, skipped while Dir is unchanged
	Command []string          `json:"command"`
	Dir     string            `json:"dir"`
	Env     map[string]string `json:"env,omitempty"`
}

// Port is a TCP port that a service listens on.
type Port struct {
	Number    int    `json:"number"`
	Published string `json:"published,omitempty"` // the host port that the Compose file asks for
	// Known says how the port is known: "ports", "expose", "rehearse.yaml",
	// "recipe" or "healthcheck"; of containers also "image", where it or its
	// Dockerfile exposes it, and "client", where a service speaks of it.
	Known string `json:"known"`
}

// KnownByImage is how a port is known that an image or a Dockerfile exposes.
const KnownByImage = "image"

// Exposed says that nothing speaks of the port but the service's image, or the
// Dockerfile that it is built from: it may have it from its base, and listen on it or
// not.
func (p Port) Exposed() bool { return p.Known == KnownByImage }

// Mount is something from outside in a service's file system.
type Mount struct {
	Type     string `json:"type"`             // "bind", "volume", "tmpfs", "config", "secret"
	Source   string `json:"source,omitempty"` // an absolute path, or a volume's name
	Target   string `json:"target"`
	ReadOnly bool   `json:"readOnly,omitempty"`
	// Content is the text of an inline config; never of a secret.
	Content string `json:"content,omitempty"`
	// Env names the environment variable that holds a config or secret.
	Env string `json:"env,omitempty"`
	// UID, GID and Mode are a config's or secret's; Mode and Size are a tmpfs's.
	// Only container engines heed them.
	UID  string `json:"uid,omitempty"`
	GID  string `json:"gid,omitempty"`
	Mode uint32 `json:"mode,omitempty"`
	Size int64  `json:"size,omitempty"` // bytes
	// OwnDisk is true for a volume that an experiment fills, and which therefore needs
	// a file system of its own.
	OwnDisk bool `json:"ownDisk,omitempty"`
	// Anonymous is true for a volume that no file names: each instance of the service
	// has its own.
	Anonymous bool `json:"anonymous,omitempty"`
	// Propagation, NoCopy and Subpath are as in Compose's long syntax.
	Propagation string `json:"propagation,omitempty"`
	NoCopy      bool   `json:"noCopy,omitempty"`
	Subpath     string `json:"subpath,omitempty"`
	// Options are a tmpfs's in the short syntax, as mount(8) takes them, Size and
	// Mode among them: "size=64m,mode=1777,noexec".
	Options string `json:"options,omitempty"`
}

// VolumeAt is the volume in which a path of the service lies: of several the deepest.
func (s Service) VolumeAt(at string) (volume Mount, ok bool) {
	for _, w := range s.Mounts {
		if w.Type == "volume" && strings.HasPrefix(path.Clean(at)+"/", path.Clean(w.Target)+"/") && len(w.Target) > len(volume.Target) {
			volume, ok = w, true
		}
	}
	return volume, ok
}

// Need is one line of depends_on.
type Need struct {
	Service   ServiceName `json:"service"`
	Condition Condition   `json:"condition"`
	Optional  bool        `json:"optional,omitempty"` // required: false
}

// Condition is what a need waits for.
type Condition string

// The conditions of Compose's depends_on.
const (
	Started   Condition = "service_started"
	Healthy   Condition = "service_healthy"
	Completed Condition = "service_completed_successfully"
)

// Readiness is how one finds out that a service is really ready. All probes
// must hold at once. With none, a service is ready when it has started.
type Readiness struct {
	Probes  []Probe  `json:"probes,omitempty"`
	Timeout Duration `json:"timeout"` // from the start of the service
}

// Probe is one question asked of a starting service. Exactly one of its fields
// is set.
type Probe struct {
	Port    int      `json:"port,omitempty"`    // something listens
	HTTP    *HTTPGet `json:"http,omitempty"`    // GET answers
	Log     string   `json:"log,omitempty"`     // a line of the log matches this regular expression
	Command []string `json:"command,omitempty"` // exits 0 inside the service; a healthcheck's test
	Shell   string   `json:"shell,omitempty"`   // the same for CMD-SHELL
	Query   string   `json:"query,omitempty"`   // the recipe's own query; names the recipe
}

// HTTPGet is a readiness probe over HTTP.
type HTTPGet struct {
	Port   int    `json:"port"`
	Path   string `json:"path"`
	Status int    `json:"status,omitempty"` // 0: any of 200 to 399
}

// Limits is deploy.resources.limits.
type Limits struct {
	CPUs   float64 `json:"cpus,omitempty"`   // in cores
	Memory int64   `json:"memory,omitempty"` // in bytes
	PIDs   int64   `json:"pids,omitempty"`
}

// Step is one thing that a rehearsal does to the running environment. Exactly
// one of its fields is set.
type Step struct {
	Load       *LoadStep       `json:"load,omitempty"`
	Suite      *SuiteStep      `json:"suite,omitempty"`
	Experiment *ExperimentStep `json:"experiment,omitempty"`
}

// Name is the step's name in reports: the name of its suite, traffic profile or
// experiment.
func (s Step) Name() string {
	switch {
	case s.Load != nil:
		return s.Load.Name
	case s.Suite != nil:
		return s.Suite.Name
	case s.Experiment != nil:
		return s.Experiment.Name
	}
	return ""
}

// Driven is the load that the step drives, alone or while it experiments; nil for
// a suite.
func (s Step) Driven() *LoadStep {
	switch {
	case s.Load != nil:
		return s.Load
	case s.Experiment != nil:
		return &s.Experiment.Load
	}
	return nil
}

// LoadStep drives a traffic profile at a service.
type LoadStep struct {
	Name string `json:"name"`
	// Profile is the traffic profile, where the load is not called after it.
	Profile    string      `json:"profile,omitempty"`
	Target     ServiceName `json:"target"`
	Port       int         `json:"port"`
	Traffic    Traffic     `json:"traffic"`
	Thresholds []Threshold `json:"thresholds"`
}

// SuiteStep runs one of the team's own test commands.
type SuiteStep struct {
	Name      string            `json:"name"`
	Command   []string          `json:"command"`
	Dir       string            `json:"dir"` // absolute
	Env       map[string]string `json:"env,omitempty"`
	Results   []string          `json:"results,omitempty"`   // JUnit XML or CTRF JSON files that it writes, relative to Dir
	Artifacts []string          `json:"artifacts,omitempty"` // files and directories to keep, relative to Dir
	Needs     []string          `json:"needs,omitempty"`     // programs without which it is skipped
	// Optional says that a suite which this host cannot run counts neither way,
	// where it would else leave the verdict unverified.
	Optional bool     `json:"optional,omitempty"`
	Timeout  Duration `json:"timeout"`
}

// Service finds a service by name.
func (p *Plan) Service(name ServiceName) (Service, bool) {
	for _, s := range p.Services {
		if s.Name == name {
			return s, true
		}
	}
	return Service{}, false
}

// Link finds a link by its identifier.
func (p *Plan) Link(id LinkID) (LinkSpec, bool) {
	for _, l := range p.Links {
		if l.ID == id {
			return l, true
		}
	}
	return LinkSpec{}, false
}
