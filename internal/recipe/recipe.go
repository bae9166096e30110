// Package recipe knows how to run well-known images from the host's own
// binaries, and how to ask a well-known service whether it is really there.
//
// A recipe is data plus a small hook, one file each. [For] finds the recipe of
// an image; [ByName] finds it again from a plan. The plan uses a recipe's ports
// and query, whatever the driver; the process driver uses its Launch.
//
// To add a recipe, copy memcached.go, the smallest, and add it to the list
// below; docs/add-a-recipe.md walks through it.
package recipe

import (
	"context"
	"net"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Recipe is how one well-known image runs without Docker.
type Recipe struct {
	Name string
	// Images are the repositories that it stands for, without registry, tag
	// and the "library/" prefix.
	Images []string
	Ports  []int
	// Passive is true for a server that never calls another service, unless its
	// Compose entry says so.
	Passive bool
	// StopSignal is the image's own; empty: SIGTERM.
	StopSignal string
	// Query asks the running service a real question over a connection that
	// dial makes. It returns nil once the service answers it well.
	Query func(ctx context.Context, s rehearse.Service, dial Dial) error
	// Launch says how to start it. It looks programs up, but creates nothing.
	Launch func(c *Context) (*Launch, error)
	// Package names what to install where the binaries are missing: "apt" and
	// "brew" package names.
	Package map[string]string
}

// Dial connects to a port of the service.
type Dial func(ctx context.Context, port int) (net.Conn, error)

// Context is what a recipe may know when it launches a service.
type Context struct {
	Service rehearse.Service
	// Find looks a program up: in PATH and in the usual places given, where a
	// pattern may hold * and the highest version wins. Its error says what to
	// install.
	Find func(program string, places ...string) (string, error)
	// In looks a program up in the given places only.
	In func(program string, places ...string) (string, bool)
	// Fetch returns the directory of an npm package's content in the cache, and
	// fetches it first when it is not there.
	Fetch func(pkg NPMPackage) (string, error)
	// Fill puts the rows of the service's dataset into its database, and FillKey
	// is everything that the result depends on. Nil: the driver cannot.
	Fill    func(ctx context.Context, into Filling) error
	FillKey func() ([]string, error)
	// Data is the service's data directory and Run a directory for sockets,
	// configuration and temporary files, both as the service will see them.
	// Both are private to the service, writable, and gone with the environment.
	Data, Run string
	// ListenHost and ListenPort are where the service must listen. The port is
	// the recipe's own, where the driver can give every service all ports.
	ListenHost string
	ListenPort int
}

// Launch is how to start a service.
type Launch struct {
	Args  []string
	Env   map[string]string // instead of the Compose file's
	Files map[string]string // written before the start: absolute path inside Data or Run → content
	// Template is the content of Data, made once and cloned for every
	// environment. Nil: Data starts empty.
	Template *Template
	// Owns lists places in the container's file system that the recipe has taken
	// care of, so that Compose's mounts below them are not made: the image's
	// data directory, its directory of initialisation scripts.
	Owns []string
	// Visible lists files and directories of the host that the service must see,
	// read-only, at their own paths.
	Visible []string
	// Findings are differences from the image that the reader must know: another
	// major version, another locale.
	Findings []rehearse.Fact
}

// Template makes a data directory once.
type Template struct {
	// Key is everything that the content depends on, in a fixed order. The cache
	// is addressed by its hash.
	Key []string
	// Build fills the directory. It runs inside a sandbox like the service's own.
	Build func(ctx context.Context, b Builder) error
}

// Builder is the sandbox in which a template is built.
type Builder interface {
	// Run runs a command to its end, as the service's user. The error holds the
	// last lines of its output.
	Run(ctx context.Context, args []string, env map[string]string) error
	// Serve runs a server while f runs, then stops it with the
	// recipe's signal and waits.
	Serve(ctx context.Context, args []string, env map[string]string, f func(context.Context, Server) error) error
}

// Server is a running server of a template that is being built.
type Server struct {
	// Dial takes the port by which the recipe knows the service, wherever the
	// server was told to listen.
	Dial Dial
	// Run runs a command beside the server, to its end.
	Run func(ctx context.Context, args []string, env map[string]string) error
}

// Filling is a database with its schema, for a dataset's rows.
type Filling struct {
	Engine                   string // "postgres", "mariadb", "mysql"
	Dial                     func(ctx context.Context) (net.Conn, error)
	User, Password, Database string // who may do everything
}

// NPMPackage is a package of binaries in the npm registry, pinned.
type NPMPackage struct {
	Name, Version string
	Integrity     string // as in a lockfile: "sha512-…"
	// Symlinks names a JSON file in the package that lists symbolic links to
	// recreate, because npm's archives cannot hold them.
	Symlinks string
}

// For finds the recipe of an image reference such as "postgres:15-alpine" or
// "docker.io/library/redis@sha256:…".
func For(image string) (*Recipe, bool) {
	repo := Repository(image)
	for _, r := range recipes() {
		for _, known := range r.Images {
			if repo == known {
				return r, true
			}
		}
	}
	return nil, false
}

// ByName finds a recipe by its name.
func ByName(name string) (*Recipe, bool) {
	for _, r := range recipes() {
		if r.Name == name {
			return r, true
		}
	}
	return nil, false
}

// Repository is an image reference without registry, "library/", tag and digest.
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	if first, rest, ok := strings.Cut(image, "/"); ok && strings.ContainsAny(first, ".:") || first == "localhost" {
		image = rest
	}
	return strings.TrimPrefix(image, "library/")
}

// Tag is the tag of an image reference, "latest" when it has none.
func Tag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[i+1:]
	}
	return "latest"
}

// recipes lists them all. There is no registry: this is the one place.
func recipes() []*Recipe {
	return []*Recipe{postgres, redis, nats, mariadb, rabbitmq, memcached, nginx, nginxUnprivileged}
}

// dialHost is where to dial, from beside it, what listens on a host.
func dialHost(listen string) string {
	if listen == "0.0.0.0" {
		return "127.0.0.1"
	}
	return listen
}
