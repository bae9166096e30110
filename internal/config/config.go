package config

import (
	"errors"
	"io/fs"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/rehearse-dev/rehearse"
)

// Config is a rehearse.yaml. The zero value is that of an empty file.
type Config struct {
	File     string       `yaml:"-"` // as the caller named it
	Name     string       `yaml:"name"`
	Seed     uint64       `yaml:"seed"` // 0: not given
	Services Map[Service] `yaml:"services"`
	Network  Network      `yaml:"network"`
	Data     Map[Dataset] `yaml:"data"`
	Traffic  Map[Traffic] `yaml:"traffic"`
	Suites   Map[Suite]   `yaml:"suites"`
	// Experiments break the environment on purpose.
	Experiments Map[Experiment] `yaml:"experiments"`
	Rehearsal   []Step          `yaml:"rehearsal"`
	Checks      []Check         `yaml:"checks"`
	Telemetry   Telemetry       `yaml:"telemetry"`
	Cost        Prices          `yaml:"cost"`
}

// Prices are what the host costs.
type Prices struct {
	Currency    string  `yaml:"currency"`
	CPU         float64 `yaml:"cpu"`
	Memory      float64 `yaml:"memory"`
	Environment float64 `yaml:"environment"`
}

// Service is what the Compose file does not say of a service.
type Service struct {
	Region  Ref      `yaml:"region"`
	Ports   []int    `yaml:"ports"`
	Process *Process `yaml:"process"`
	Ready   *Ready   `yaml:"ready"`
	Dataset Ref      `yaml:"dataset"`
}

// Process is how a service runs without a container.
type Process struct {
	Build   []string          `yaml:"build"`
	Command []string          `yaml:"command"`
	Dir     string            `yaml:"dir"`
	Env     map[string]string `yaml:"env"`
}

// Ready says when a service is ready.
type Ready struct {
	HTTP    *HTTPGet          `yaml:"http"`
	Port    int               `yaml:"port"`
	Log     string            `yaml:"log"`
	Command []string          `yaml:"command"`
	Timeout rehearse.Duration `yaml:"timeout"` // 0: not given
}

// HTTPGet is a request that a ready service answers. A text is its path.
type HTTPGet struct {
	Path   string `yaml:"path"`
	Port   int    `yaml:"port"`
	Status int    `yaml:"status"`
}

// UnmarshalYAML reads a path or a mapping.
func (h *HTTPGet) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		h.Path = n.Value
		return nil
	}
	type plain HTTPGet
	return n.Decode((*plain)(h))
}

// Network is how far apart services are.
type Network struct {
	Between []Between `yaml:"between"`
	Within  *Shape    `yaml:"within"`
	Links   []Link    `yaml:"links"`
	// Tier is empty for the best that the host allows.
	Tier rehearse.Tier `yaml:"tier"`
}

// Shape is the round trip, and what else a link does to both directions.
type Shape struct {
	RTT            rehearse.Duration     `yaml:"rtt"`
	Jitter         rehearse.Duration     `yaml:"jitter"`
	Distribution   rehearse.Distribution `yaml:"distribution"`
	Correlation    Share                 `yaml:"correlation"`
	Loss           Share                 `yaml:"loss"`
	Burst          float64               `yaml:"burst"`
	Rate           Rate                  `yaml:"rate"`
	ConnectionRate Rate                  `yaml:"connection_rate"`
	Limit          Bytes                 `yaml:"limit"`
}

// Between is the distance of two regions, in either order.
type Between struct {
	Regions []Ref `yaml:"regions"` // two, and different
	Shape   `yaml:",inline"`
}

// Link overrides the shape of one link.
type Link struct {
	Link  Ref    `yaml:"link"`
	TLS   string `yaml:"tls"` // "pass", "end", or empty: pass
	Shape `yaml:",inline"`
}

// Rate is a [rehearse.Rate] that reads from YAML.
type Rate rehearse.Rate

// UnmarshalYAML reads a rate as [rehearse.ParseRate] does.
func (r *Rate) UnmarshalYAML(n *yaml.Node) error {
	v, err := rehearse.ParseRate(n.Value)
	*r = Rate(v)
	return err
}

// Share is a share of a whole that reads from YAML.
type Share float64

// UnmarshalYAML reads a share as [rehearse.ParseShare] does.
func (v *Share) UnmarshalYAML(n *yaml.Node) error {
	share, err := rehearse.ParseShare(n.Value)
	*v = Share(share)
	return err
}

// Bytes is a number of bytes that reads from YAML.
type Bytes int64

// UnmarshalYAML reads a number of bytes as [rehearse.ParseBytes] does.
func (v *Bytes) UnmarshalYAML(n *yaml.Node) error {
	b, err := rehearse.ParseBytes(n.Value)
	*v = Bytes(b)
	return err
}

// Dataset is what a service's database holds.
type Dataset struct {
	SQL        []string `yaml:"sql"`
	Staging    []string `yaml:"staging"` // empty: the same
	Profile    string   `yaml:"profile"`
	Plan       string   `yaml:"plan"`
	Scale      float64  `yaml:"scale"` // 0: not given
	Rows       int64    `yaml:"rows"`  // 0: not given
	Seed       uint64   `yaml:"seed"`  // 0: not given
	After      []string `yaml:"after"`
	Migrations []string `yaml:"migrations"`
	Churn      float64  `yaml:"churn"` // 0: none
}

// Generates reports whether rows are generated.
func (d Dataset) Generates() bool { return d.Profile != "" || d.Plan != "" || d.Rows > 0 }

// Traffic is a traffic profile and where it goes.
type Traffic struct {
	Profile string `yaml:"profile"`
	Target  Ref    `yaml:"target"`
	Port    int    `yaml:"port"` // 0: not given
}

// Suite is one of the team's own test commands.
type Suite struct {
	Command   []string          `yaml:"command"`
	Dir       string            `yaml:"dir"`
	Env       map[string]string `yaml:"env"`
	Results   []string          `yaml:"results"`
	Artifacts []string          `yaml:"artifacts"`
	Needs     []string          `yaml:"needs"`
	Optional  bool              `yaml:"optional"`
	Timeout   rehearse.Duration `yaml:"timeout"` // 0: not given
}

// Step is one step of the rehearsal. One of Suite, Load and Experiment is set, or
// Experiment with the Load that goes on meanwhile.
type Step struct {
	Suite      Ref                  `yaml:"suite"`
	Load       Ref                  `yaml:"load"`
	Experiment Ref                  `yaml:"experiment"`
	For        rehearse.Duration    `yaml:"for"` // 0: the profile's own, or as long as the experiment
	Thresholds []rehearse.Threshold `yaml:"thresholds"`
}

// Ref is a name in the file that stands for something else, and its line.
type Ref struct {
	Name string
	Line int
}

// UnmarshalYAML keeps the line.
func (r *Ref) UnmarshalYAML(n *yaml.Node) error {
	r.Name, r.Line = n.Value, n.Line
	return nil
}

// Map is a mapping from names, in the order of the file.
type Map[T any] []Entry[T]

// Entry is one name and its value.
type Entry[T any] struct {
	Name  string
	Line  int // of the name
	Value T
}

// UnmarshalYAML keeps order and lines.
func (m *Map[T]) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := Entry[T]{Name: n.Content[i].Value, Line: n.Content[i].Line}
		if err := n.Content[i+1].Decode(&e.Value); err != nil {
			return err
		}
		*m = append(*m, e)
	}
	return nil
}

// Get finds an entry by name.
func (m Map[T]) Get(name string) (Entry[T], bool) {
	for _, e := range m {
		if e.Name == name {
			return e, true
		}
	}
	return Entry[T]{}, false
}

// Names lists the names, in the order of the file.
func (m Map[T]) Names() []string {
	names := make([]string, len(m))
	for i, e := range m {
		names[i] = e.Name
	}
	return names
}

// Load reads a file. One that does not exist gives the zero Config.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Config{File: path}, nil
	}
	if err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: path, Msg: "cannot be read", Err: errors.Unwrap(err)}
	}
	return Parse(path, data)
}

// Parse reads the content of a file. The error is a [rehearse.Problems] with
// every problem there is.
func Parse(file string, data []byte) (*Config, error) {
	c := &Config{File: file}
	root, p := document(data)
	if root != nil && p == nil {
		p = check(root)
	}
	if len(p) > 0 {
		var problems rehearse.Problems
		for _, e := range p {
			problems = append(problems, c.Problem(e.line, e.msg, e.hint))
		}
		return nil, problems
	}
	if root == nil {
		return c, nil
	}
	if err := root.Decode(c); err != nil {
		// check accepts nothing that does not decode.
		return nil, &rehearse.Error{Kind: rehearse.Internal, File: file, Msg: "config: internal error", Err: err}
	}
	return c, nil
}

// Problem is an error at a line of the file.
func (c *Config) Problem(line int, msg, hint string) *rehearse.Error {
	return &rehearse.Error{Kind: rehearse.Invalid, File: c.File, Line: line, Msg: msg, Hint: hint}
}
