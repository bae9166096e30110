package process

// jailSpec is what a shim needs to know to make a service's jail: the file
// system that the service sees, and whom it runs as.
type jailSpec struct {
	Name     string `json:"name"` // the service
	Hostname string `json:"hostname"`
	// Plain is true where there are no namespaces: the shim only supervises.
	Plain bool `json:"plain,omitempty"`

	// Work is a writable directory in the environment's scratch space. What
	// must outlive a restart of the service lies in it.
	Work string `json:"work,omitempty"`
	// UID and GID are the service's own; they are HostUID and HostGID in the
	// user namespace that the shim lives in.
	UID, GID         int
	HostUID, HostGID int

	// Fresh is true when what the service has written into its private data
	// directory goes before the jail is made.
	Fresh bool `json:"fresh,omitempty"`

	Mounts []jailMount       `json:"mounts,omitempty"` // in order
	Files  map[string]string `json:"files,omitempty"`  // absolute path → content, made in writable places
	// EtcFiles replace files of /etc: name → content.
	EtcFiles map[string]string `json:"etcFiles,omitempty"`
}

// jailMount is one thing to mount in a jail.
type jailMount struct {
	// Kind is "bind" (a host path), "cow" (a host directory, writes stay in the
	// jail), "volume" (a directory of the environment, named by Keep), "file"
	// (one of the jail's own Files), "data" (a template below the private data
	// directory), "device" (the directory Keep of the file system FS on a block
	// device), "tmpfs", or "hide" (nothing covers the target, if it is there).
	Kind     string `json:"kind"`
	Source   string `json:"source,omitempty"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readOnly,omitempty"`
	// Keep names a volume, which all its mounts in the environment share.
	Keep string `json:"keep,omitempty"`
	FS   string `json:"fs,omitempty"`
}

// The private directories of a service, as it sees them in a jail.
const (
	jailHome = "/rehearse/home"
	jailData = "/rehearse/data"
	jailRun  = "/rehearse/run"
)
