package recipe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// nginx runs the official image's server. The image's /etc/nginx is made anew in
// the service's own directory, from what Compose mounts there and from the
// image's defaults, because a distribution's nginx has other defaults: where it
// logs, where it keeps temporary files, which sites it enables.
var nginx = &Recipe{
	Name:       "nginx",
	Images:     []string{"nginx"},
	Ports:      []int{80},
	Passive:    false,
	StopSignal: "SIGQUIT",
	Query:      func(ctx context.Context, s rehearse.Service, dial Dial) error { return queryNginx(ctx, s, 80, dial) },
	Launch:     func(c *Context) (*Launch, error) { return launchNginx(c, 80) },
	Package:    map[string]string{"apt": "nginx-light", "brew": "nginx"},
}

// nginxUnprivileged is the image for clusters that allow no low ports.
var nginxUnprivileged = &Recipe{
	Name:       "nginx-unprivileged",
	Images:     []string{"nginxinc/nginx-unprivileged"},
	Ports:      []int{8080},
	Passive:    false,
	StopSignal: "SIGQUIT",
	Query:      func(ctx context.Context, s rehearse.Service, dial Dial) error { return queryNginx(ctx, s, 8080, dial) },
	Launch:     func(c *Context) (*Launch, error) { return launchNginx(c, 8080) },
	Package:    nginx.Package,
}

const nginxEtc = "/etc/nginx"

// nginxConf is the image's nginx.conf.
const nginxConf = `worker_processes auto;
error_log /var/log/nginx/error.log notice;
events {
    worker_connections 1024;
}
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /var/log/nginx/access.log main;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
`

// nginxDefault is the image's conf.d/default.conf.
const nginxDefault = `server {
    listen %d;
    server_name localhost;
    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
    error_page 500 502 503 504 /50x.html;
    location = /50x.html {
        root /usr/share/nginx/html;
    }
}
`

func launchNginx(c *Context, port int) (*Launch, error) {
	flags, err := flagsOf(c.Service, "nginx", "nginx-debug")
	if err != nil {
		return nil, err
	}
	server, err := find(c, "nginx", "/opt/homebrew/opt/nginx/bin", "/usr/local/opt/nginx/bin", "/usr/local/nginx/sbin")
	if err != nil {
		return nil, err
	}
	files, owned, err := textsBelow(c.Service, nginxEtc)
	if err != nil {
		return nil, err
	}
	given := options(flags)
	main := path.Join(nginxEtc, "nginx.conf")
	if other := valueOf(given, "c"); other != "" {
		if main = path.Clean(other); files[main] == "" {
			text, ok := textAt(c.Service, main)
			if !ok {
				return nil, &rehearse.Error{
					Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q: its command names %s, which no volume or config provides", c.Service.Name, main),
					Hint: "Mount the file there.",
				}
			}
			files[main] = text
		}
	}
	nginxTemplates(c.Service, files)
	whole := slices.Contains(owned, nginxEtc)
	if !whole {
		nginxDefaults(files, owned, main, port)
	}
	version, _ := versionOf(server, "-v")
	l := &Launch{
		Args:     []string{server, "-p", c.Run + "/nginx/", "-e", "stderr", "-c", nginxPlace(c, main), "-g", "daemon off; pid " + c.Run + "/nginx.pid;"},
		Env:      maps.Clone(c.Service.Env),
		Files:    map[string]string{},
		Owns:     owned,
		Findings: otherVersion(c.Service, "nginx", version, 2),
	}
	if global := nginxGlobals.ReplaceAllString(valueOf(given, "g"), ""); strings.TrimSpace(global) != "" {
		l.Args[len(l.Args)-1] += " " + global
	}
	rewrite := nginxRewriter(c, files, owned, l)
	for name, text := range files {
		if name == main {
			text = nginxMain(c, text)
		}
		if strings.Contains(text, "resolver 127.0.0.11") {
			l.Findings = append(l.Findings, rehearse.Fact{Name: "nginx.resolver", Value: "none", Note: name + " asks Docker's name server, which is not here: a name in a variable is not found"})
		}
		l.Files[nginxPlace(c, name)] = rewrite(text)
	}
	return l, nil
}

// nginxPlace is where a file of the image's /etc/nginx lies.
func nginxPlace(c *Context, name string) string {
	if rest, ok := strings.CutPrefix(name, nginxEtc+"/"); ok {
		return c.Run + "/nginx/" + rest
	}
	return c.Run + "/nginx/outside" + name
}

// nginxDefaults adds the image's own files to those that Compose gives.
func nginxDefaults(files map[string]string, owned []string, main string, port int) {
	if files[main] == "" {
		files[main] = nginxConf
	}
	if name := nginxEtc + "/conf.d/default.conf"; files[name] == "" && !slices.Contains(owned, nginxEtc+"/conf.d") {
		files[name] = fmt.Sprintf(nginxDefault, port)
	}
	for _, name := range []string{"mime.types", "fastcgi_params", "scgi_params", "uwsgi_params", "fastcgi.conf"} {
		if files[path.Join(nginxEtc, name)] != "" {
			continue
		}
		for _, dir := range []string{nginxEtc, "/opt/homebrew/etc/nginx", "/usr/local/etc/nginx", "/usr/local/nginx/conf"} {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				files[path.Join(nginxEtc, name)] = string(data)
				break
			}
		}
	}
	if name := nginxEtc + "/mime.types"; files[name] == "" {
		files[name] = "types { text/html html htm; text/css css; application/javascript js; application/json json; image/svg+xml svg; image/png png; image/jpeg jpg jpeg; }\n"
	}
}

// nginxTemplates does what the image's 20-envsubst-on-templates.sh does.
func nginxTemplates(s rehearse.Service, files map[string]string) {
	or := func(name, otherwise string) string {
		if v := s.Env[name]; v != "" {
			return v
		}
		return otherwise
	}
	dir := path.Clean(or("NGINX_ENVSUBST_TEMPLATE_DIR", nginxEtc+"/templates"))
	out := path.Clean(or("NGINX_ENVSUBST_OUTPUT_DIR", nginxEtc+"/conf.d"))
	suffix := or("NGINX_ENVSUBST_TEMPLATE_SUFFIX", ".template")
	filter, err := regexp.Compile(s.Env["NGINX_ENVSUBST_FILTER"])
	if err != nil {
		filter = regexp.MustCompile("")
	}
	templates := map[string]string{}
	for name, text := range files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok && strings.HasSuffix(rest, suffix) {
			templates[path.Join(out, strings.TrimSuffix(rest, suffix))] = text
		}
	}
	for name, text := range templates {
		files[name] = envsubst(text, func(variable string) (string, bool) {
			v, ok := s.Env[variable]
			return v, ok && filter.MatchString(variable)
		})
	}
}

// envsubst replaces $NAME and ${NAME} where the name is known, as the program of
// that name does when it is given a list.
func envsubst(text string, lookup func(string) (string, bool)) string {
	return anyVariable.ReplaceAllStringFunc(text, func(hit string) string {
		if v, ok := lookup(strings.Trim(hit, "${}")); ok {
			return v
		}
		return hit
	})
}

var (
	anyVariable  = regexp.MustCompile(`\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\}`)
	nginxGlobals = regexp.MustCompile(`(?m)(^|[;{}\s])(daemon|pid|user)\s+[^;{}]+;`)
	nginxHTTP    = regexp.MustCompile(`(?m)^([ \t]*)http\s*\{`)
	nginxListen  = regexp.MustCompile(`(?m)(^|[;{}\s])listen\s+([^\s;]+)([^;]*);`)
	nginxErrors  = regexp.MustCompile(`error_log\s+(/var/log/nginx/error\.log|/dev/stderr)`)
)

// nginxMain prepares the main file: what the command line says may not be said
// twice, and what Debian's nginx would put where the service may not write goes
// elsewhere.
func nginxMain(c *Context, text string) string {
	text = nginxGlobals.ReplaceAllString(text, "$1")
	add := ""
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		if !strings.Contains(text, name+"_temp_path") {
			add += fmt.Sprintf(" %s_temp_path %s/%s;", name, c.Run, name)
		}
	}
	if !atHTTPLevel(text, "access_log") {
		add += " access_log /var/log/nginx/access.log;"
	}
	return nginxHTTP.ReplaceAllString(text, "${1}http {"+add)
}

// atHTTPLevel reports whether a directive stands in the http block itself.
func atHTTPLevel(text, directive string) bool {
	depth := 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.ReplaceAll(strings.ReplaceAll(line, "${", ""), "'", "")
		if depth == 1 && strings.HasPrefix(strings.TrimSpace(line), directive) {
			return true
		}
		depth += strings.Count(line, "{") - strings.Count(line, "}")
	}
	return false
}

// nginxRewriter moves the image's paths in configuration to where they are here.
func nginxRewriter(c *Context, files map[string]string, owned []string, l *Launch) func(string) string {
	moved := map[string]string{
		"/var/log/nginx/access.log": "/dev/stdout", "/var/log/nginx/error.log": "/dev/stderr",
		// nginx makes these directories, but no directory above them.
		"/var/log/nginx/": c.Run + "/log-", "/var/cache/nginx/": c.Run + "/cache-", "/var/cache/nginx": c.Run + "/cache",
		"load_module modules/": "load_module /usr/lib/nginx/modules/", nginxEtc + "/conf.d/": c.Run + "/nginx/conf.d/",
	}
	for name := range files {
		moved[name] = nginxPlace(c, name)
	}
	for _, target := range owned {
		moved[target+"/"] = nginxPlace(c, target+"/")
	}
	shared := c.ListenHost != "0.0.0.0"
	if shared {
		// Without a file system of its own the service finds mounts at their source.
		for _, m := range c.Service.Mounts {
			if m.Type == "bind" && m.Source != "" && !slices.Contains(owned, path.Clean(m.Target)) {
				moved[path.Clean(m.Target)] = m.Source
				l.Owns = append(l.Owns, m.Target)
			}
		}
	}
	// Of two that fit, a replacer takes the first.
	names := slices.SortedFunc(maps.Keys(moved), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, name, moved[name])
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string {
		text = nginxErrors.ReplaceAllString(text, "error_log stderr")
		text = replacer.Replace(text)
		if shared {
			text = nginxListen.ReplaceAllStringFunc(text, func(hit string) string { return nginxListenHere(c, hit) })
		}
		return text
	}
}

// nginxListenHere puts a listen directive on the address that the service has.
func nginxListenHere(c *Context, hit string) string {
	m := nginxListen.FindStringSubmatch(hit)
	where, rest := m[2], m[3]
	if strings.HasPrefix(where, "unix:") {
		return hit
	}
	if strings.HasPrefix(where, "[") {
		return m[1] // the same server listens on the IPv4 address as well
	}
	port := where[strings.LastIndexByte(where, ':')+1:]
	if n, err := strconv.Atoi(port); err != nil || n == 80 || n == 8080 {
		port = strconv.Itoa(c.ListenPort)
	}
	return fmt.Sprintf("%slisten %s:%s%s;", m[1], c.ListenHost, port, rest)
}

// queryNginx takes any HTTP status, even that of a plain request to a TLS port:
// what pages mean is the application's to say. A configuration may leave the
// image's own port out, so every known one counts.
func queryNginx(ctx context.Context, s rehearse.Service, usual int, dial Dial) error {
	ports := []int{usual}
	for _, p := range s.Ports {
		if !slices.Contains(ports, p.Number) {
			ports = append(ports, p.Number)
		}
	}
	var problems []error
	for _, port := range ports {
		err := askHTTP(ctx, port, dial)
		if err == nil {
			return nil
		}
		problems = append(problems, fmt.Errorf("port %d: %w", port, err))
	}
	return errors.Join(problems...)
}

func askHTTP(ctx context.Context, port int, dial Dial) error {
	conn, err := ask(ctx, dial, port)
	if err != nil {
		return err
	}
	defer conn.Close()
	// HTTP/1.1 wants a host. Without one nginx answers 400 by itself, and does not
	// pass the request on to a service that may not be up.
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "HTTP/") {
		return fmt.Errorf("nginx said %q", strings.TrimSpace(line))
	}
	return nil
}
