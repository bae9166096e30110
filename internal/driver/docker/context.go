package docker

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// endpoint is what says where an engine is, as docker's own command line takes it
// from the environment and from its directory of configuration.
type endpoint struct {
	Host      string   // DOCKER_HOST
	Context   string   // DOCKER_CONTEXT
	Config    string   // DOCKER_CONFIG: the directory of config.json and of contexts
	CertPath  string   // DOCKER_CERT_PATH
	TLSVerify bool     // DOCKER_TLS_VERIFY is set
	Sockets   []string // where engines listen when nothing names one, the preferred first
	Path      string   // PATH, by which ssh and docker's helpers are found

	Getenv func(name string) string `json:"-"` // all of it, for secrets of builds
}

// endpointFrom reads the environment. home is the user's home directory.
func endpointFrom(getenv func(string) string, home string) endpoint {
	o := endpoint{
		Host: getenv("DOCKER_HOST"), Context: getenv("DOCKER_CONTEXT"), Config: getenv("DOCKER_CONFIG"),
		CertPath: getenv("DOCKER_CERT_PATH"), TLSVerify: getenv("DOCKER_TLS_VERIFY") != "",
		Sockets: []string{"/var/run/docker.sock"},
		Path:    getenv("PATH"),
		Getenv:  getenv,
	}
	if o.Config == "" {
		o.Config = filepath.Join(home, ".docker")
	}
	runtime := getenv("XDG_RUNTIME_DIR")
	if runtime != "" {
		o.Sockets = append(o.Sockets, filepath.Join(runtime, "docker.sock")) // rootless
	}
	o.Sockets = append(o.Sockets, filepath.Join(home, ".docker/run/docker.sock"), filepath.Join(home, ".docker/desktop/docker.sock"))
	if runtime != "" {
		o.Sockets = append(o.Sockets, filepath.Join(runtime, "podman/podman.sock"))
	}
	o.Sockets = append(o.Sockets, "/run/podman/podman.sock", filepath.Join(home, ".local/share/containers/podman/machine/podman.sock"))
	return o
}

// candidate is one place where an engine may answer.
type candidate struct {
	host    string      // a URL, as in "unix:///var/run/docker.sock"
	from    string      // who says so, as in "DOCKER_HOST"; empty for the usual places
	context string      // the context's name, for docker's own plugins
	tls     *tls.Config // nil: without TLS
}

// candidates are the places to try, in the order of docker's own command line:
// DOCKER_HOST, DOCKER_CONTEXT, the configuration's current context, and then the
// usual sockets. What is named is the only candidate.
func (o endpoint) candidates() ([]candidate, error) {
	if o.Host != "" {
		c := candidate{host: o.Host, from: "DOCKER_HOST"}
		if strings.HasPrefix(o.Host, "unix:") || strings.HasPrefix(o.Host, "ssh:") || !o.TLSVerify && o.CertPath == "" {
			return []candidate{c}, nil
		}
		dir := o.CertPath
		if dir == "" {
			dir = o.Config
		}
		var err error
		c.tls, err = tlsConfig(dir, o.TLSVerify)
		return []candidate{c}, err
	}
	name, from := o.Context, "DOCKER_CONTEXT"
	if name == "" {
		config, err := o.config()
		if err != nil {
			return nil, err
		}
		name, from = config.CurrentContext, "currentContext in "+filepath.Join(o.Config, "config.json")
	}
	if name != "" && name != "default" {
		c, err := o.context(name, from)
		return []candidate{c}, err
	}
	var all []candidate
	for _, socket := range o.Sockets {
		all = append(all, candidate{host: "unix://" + socket})
	}
	return all, nil
}

// context reads a context from docker's store: contexts/meta/ID/meta.json and
// contexts/tls/ID/docker/*.pem, where ID is the SHA-256 of the name.
func (o endpoint) context(name, from string) (candidate, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	file := filepath.Join(o.Config, "contexts/meta", id, "meta.json")
	var meta contextMeta
	switch err := readJSON(file, &meta); {
	case errors.Is(err, fs.ErrNotExist):
		hint := "`docker context ls` lists those that exist."
		if near, ok := rehearse.Nearest(name, o.contexts()); ok {
			hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
		}
		return candidate{}, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s names the context %q, which does not exist", from, name), Hint: hint}
	case err != nil:
		return candidate{}, err
	}
	at := meta.Endpoints.Docker
	if at.Host == "" {
		return candidate{}, &rehearse.Error{
			Kind: rehearse.Invalid, File: file, Msg: fmt.Sprintf("the context %q has no Docker endpoint", name),
			Hint: "Choose another with `docker context use`, or name an engine in DOCKER_HOST.",
		}
	}
	c := candidate{host: at.Host, from: fmt.Sprintf("the context %q", name), context: name}
	dir := filepath.Join(o.Config, "contexts/tls", id, "docker")
	if _, err := os.Stat(dir); err != nil && !at.SkipTLSVerify {
		return c, nil
	}
	var err error
	c.tls, err = tlsConfig(dir, !at.SkipTLSVerify)
	return c, err
}

// contexts are the names of all contexts.
func (o endpoint) contexts() []string {
	files, _ := filepath.Glob(filepath.Join(o.Config, "contexts/meta/*/meta.json"))
	var names []string
	for _, file := range files {
		var meta contextMeta
		if readJSON(file, &meta) == nil {
			names = append(names, meta.Name)
		}
	}
	return names
}

type contextMeta struct {
	Name      string
	Endpoints struct {
		Docker struct {
			Host          string
			SkipTLSVerify bool
		} `json:"docker"`
	}
}

// config is what we heed of docker's config.json.
type config struct {
	Auths map[string]struct {
		Auth          string `json:"auth"` // base64 of "user:password"
		IdentityToken string `json:"identitytoken"`
	} `json:"auths"`
	CredHelpers    map[string]string `json:"credHelpers"` // registry → helper
	CredsStore     string            `json:"credsStore"`  // the helper of all other registries
	CurrentContext string            `json:"currentContext"`
	PluginDirs     []string          `json:"cliPluginsExtraDirs"`
}

// config reads config.json; the zero value when there is none.
func (o endpoint) config() (config, error) {
	var c config
	if err := readJSON(filepath.Join(o.Config, "config.json"), &c); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	return c, nil
}

func readJSON(file string, into any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return &rehearse.Error{
			Kind: rehearse.Invalid, File: file, Msg: "not readable as docker's configuration", Err: err,
			Hint: "Correct the file, or move it away: docker makes another when it needs one.",
		}
	}
	return nil
}

// look finds a program on the user's PATH.
func (o endpoint) look(name string) (string, error) {
	for dir := range strings.SplitSeq(o.Path, string(filepath.ListSeparator)) {
		if file := filepath.Join(dir, name); executable(file) {
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

func executable(file string) bool {
	st, err := os.Stat(file)
	return err == nil && !st.IsDir() && st.Mode()&0o111 != 0
}
