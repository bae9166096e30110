package rehearse

// Container is what a service asks of a container engine beyond what every
// driver does with it. Its fields mean what the keys of the Compose
// specification mean that bear their names; the zero value is the engine's own.
type Container struct {
	Replicas   int    `json:"replicas,omitempty"` // 1 when zero
	Platform   string `json:"platform,omitempty"`
	PullPolicy string `json:"pullPolicy,omitempty"` // "always", "never", "missing" (as when empty), "build"
	Runtime    string `json:"runtime,omitempty"`

	Privileged     bool     `json:"privileged,omitempty"`
	ReadOnly       bool     `json:"readOnly,omitempty"` // the root file system
	Init           *bool    `json:"init,omitempty"`
	TTY            bool     `json:"tty,omitempty"`
	StdinOpen      bool     `json:"stdinOpen,omitempty"`
	CapAdd         []string `json:"capAdd,omitempty"`
	CapDrop        []string `json:"capDrop,omitempty"`
	GroupAdd       []string `json:"groupAdd,omitempty"`
	SecurityOpt    []string `json:"securityOpt,omitempty"`
	Devices        []Device `json:"devices,omitempty"`
	DeviceRules    []string `json:"deviceCgroupRules,omitempty"`
	OOMKillDisable bool     `json:"oomKillDisable,omitempty"`
	OOMScoreAdj    int      `json:"oomScoreAdj,omitempty"`

	// IPC, PID, UTS, UserNS and Cgroup are "host", "private", "shareable" or
	// "service:NAME"; Network is "", "none" or "service:NAME".
	IPC          string `json:"ipc,omitempty"`
	PID          string `json:"pid,omitempty"`
	UTS          string `json:"uts,omitempty"`
	UserNS       string `json:"userns,omitempty"`
	Cgroup       string `json:"cgroup,omitempty"`
	Network      string `json:"network,omitempty"`
	CgroupParent string `json:"cgroupParent,omitempty"`

	Domainname string              `json:"domainname,omitempty"`
	MACAddress string              `json:"macAddress,omitempty"`
	DNSSearch  []string            `json:"dnsSearch,omitempty"`
	DNSOptions []string            `json:"dnsOptions,omitempty"`
	ExtraHosts map[string][]string `json:"extraHosts,omitempty"` // name → addresses
	Sysctls    map[string]string   `json:"sysctls,omitempty"`
	Ulimits    []Ulimit            `json:"ulimits,omitempty"`

	ShmSize           int64  `json:"shmSize,omitempty"`           // bytes
	MemoryReservation int64  `json:"memoryReservation,omitempty"` // bytes
	MemorySwap        int64  `json:"memorySwap,omitempty"`        // bytes; -1: no limit
	MemorySwappiness  *int64 `json:"memorySwappiness,omitempty"`  // percent
	CPUShares         int64  `json:"cpuShares,omitempty"`
	CPUQuota          int64  `json:"cpuQuota,omitempty"`  // µs in each period
	CPUPeriod         int64  `json:"cpuPeriod,omitempty"` // µs
	CPUSet            string `json:"cpuset,omitempty"`
	BlkioWeight       uint16 `json:"blkioWeight,omitempty"`

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	VolumesFrom []string          `json:"volumesFrom,omitempty"` // "SERVICE[:ro]"
	// NoHealthcheck says that the image's own healthcheck is not asked.
	NoHealthcheck bool `json:"noHealthcheck,omitempty"`
	// PreStart hooks run one after the other before the service starts, each in
	// a container of its own that has the service's volumes; the others run in
	// the service's container.
	PreStart  []Hook `json:"preStart,omitempty"`
	PostStart []Hook `json:"postStart,omitempty"`
	PreStop   []Hook `json:"preStop,omitempty"`
}

// Device is a device of the host in a container.
type Device struct {
	Source      string `json:"source"`
	Target      string `json:"target"`
	Permissions string `json:"permissions"` // of "rwm"
}

// Ulimit is a limit of the kernel's on a container's processes.
type Ulimit struct {
	Name string `json:"name"` // as in "nofile"
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// Hook is a command that runs in a container at a point of its life. One that
// fails fails the service.
type Hook struct {
	Image      string            `json:"image,omitempty"` // of a PreStart hook; empty: the service's
	Command    []string          `json:"command"`
	User       string            `json:"user,omitempty"`
	Privileged bool              `json:"privileged,omitempty"`
	WorkingDir string            `json:"workingDir,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
}
