package recipe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// redis runs the official images of Redis and Valkey, and what Bitnami's and the
// stack's variables say of them.
var redis = &Recipe{
	Name:    "redis",
	Images:  []string{"redis", "valkey/valkey", "redis/redis-stack-server", "redis/redis-stack", "bitnami/redis", "bitnami/valkey"},
	Ports:   []int{6379},
	Passive: true,
	Query:   queryRedis,
	Launch:  launchRedis,
	Package: map[string]string{"apt": "redis-server", "brew": "redis"},
}

// redisSettings is a server's configuration as Compose gives it.
type redisSettings struct {
	config   string // a configuration file in the container; empty: none
	options  []option
	password string
	port     int
}

func redisSettingsOf(s rehearse.Service) (redisSettings, error) {
	// The entry point takes a bare configuration file for the server's.
	if len(s.Command) > 0 && len(s.Entrypoint) == 0 && strings.HasSuffix(s.Command[0], ".conf") {
		s.Command = append([]string{"redis-server"}, s.Command...)
	}
	r := redisSettings{port: 6379}
	flags, err := flagsOf(s, "redis-server", "valkey-server", "redis-stack-server", "run.sh")
	if err != nil {
		return r, err
	}
	if len(flags) > 0 && !strings.HasPrefix(flags[0], "-") {
		r.config, flags = flags[0], flags[1:]
	}
	for _, name := range []string{"REDIS_ARGS", "VALKEY_EXTRA_FLAGS", "REDIS_EXTRA_FLAGS"} {
		more, ok := shellWords(s.Env[name], s.Env)
		if !ok {
			return r, notOurs(s, name+"="+s.Env[name])
		}
		flags = append(flags, more...)
	}
	for _, name := range []string{"REDIS_PASSWORD", "VALKEY_PASSWORD"} {
		if !strings.HasPrefix(Repository(s.Image), "bitnami/") {
			break // the official image knows no such variable, whatever people think
		}
		password, err := fileVar(s, name, "")
		if err != nil {
			return r, err
		}
		if password != "" {
			flags = append([]string{"--requirepass", password}, flags...)
		}
	}
	r.options = options(flags)
	text, _ := textAt(s, r.config)
	for line := range strings.Lines(text) {
		switch f := strings.Fields(line); {
		case len(f) == 2 && strings.EqualFold(f[0], "requirepass"):
			r.password = strings.Trim(f[1], `"'`)
		case len(f) == 2 && strings.EqualFold(f[0], "port"):
			if n, err := strconv.Atoi(f[1]); err == nil && n > 0 {
				r.port = n
			}
		}
	}
	if p := valueOf(r.options, "requirepass"); p != "" {
		r.password = p
	}
	r.port = portOf(r.options, r.port, "port")
	return r, nil
}

func launchRedis(c *Context) (*Launch, error) {
	r, err := redisSettingsOf(c.Service)
	if err != nil {
		return nil, err
	}
	repo := Repository(c.Service.Image)
	product, other := "redis", "valkey"
	if strings.Contains(repo, "valkey") {
		product, other = other, product
	}
	var findings []rehearse.Fact
	have := product
	server, err := find(c, product+"-server")
	if err != nil {
		var otherErr error
		if server, otherErr = find(c, other+"-server"); otherErr != nil {
			return nil, err
		}
		have = other
		findings = append(findings, otherProduct(c.Service, "redis", product, other, "their commands are the same up to Redis 7.2"))
	}
	version, _ := versionOf(server, "--version")
	if have == product {
		// The stack's tags count the stack, not the server.
		if !strings.Contains(repo, "stack") {
			findings = append(findings, otherVersion(c.Service, have, version, 1)...)
		}
	}
	if strings.Contains(repo, "stack") {
		findings = append(findings, rehearse.Fact{Name: "redis.modules", Value: "none", Note: "the image's modules for search, JSON and time series are not here"})
	}
	data := []string{"/data", "/bitnami/redis/data", "/bitnami/valkey/data"}
	l := &Launch{
		Args:     []string{server},
		Owns:     data,
		Findings: append(findings, emptyData(c.Service, "redis", data...)...),
	}
	// What is not the file's or the flags' to say here.
	ours := []string{"bind", "port", "dir", "daemonize", "logfile", "pidfile"}
	if r.config != "" {
		file := r.config
		if text, ok := textAt(c.Service, r.config); ok {
			// Redis enters each directory that is named, at once.
			file = c.Run + "/redis.conf"
			l.Files = map[string]string{file: withoutLines(text, ours)}
		}
		l.Args = append(l.Args, file)
	}
	l.Args = append(l.Args, "--protected-mode", "no")
	l.Args = append(l.Args, without(r.options, ours...)...)
	l.Args = append(l.Args,
		"--bind", c.ListenHost, "--port", strconv.Itoa(listenPort(c, 6379, r.port)), "--dir", c.Data,
		"--daemonize", "no", "--logfile", "", "--pidfile", c.Run+"/redis.pid")
	l.Env = maps.Clone(c.Service.Env)
	return l, nil
}

// withoutLines leaves out the lines that set one of the names.
func withoutLines(text string, names []string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && slices.Contains(names, strings.ToLower(f[0])) {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

func queryRedis(ctx context.Context, s rehearse.Service, dial Dial) error {
	r, err := redisSettingsOf(s)
	if err != nil {
		r = redisSettings{port: 6379} // another driver runs what we cannot take apart
	}
	conn, err := ask(ctx, dial, r.port)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(words ...string) (string, error) {
		if _, err := io.WriteString(conn, redisCommand(words)); err != nil {
			return "", err
		}
		line, err := in.ReadString('\n')
		return strings.TrimSpace(line), err
	}
	if r.password != "" {
		// An answer like -ERR is of a server whose access list has no such user.
		if line, err := say("AUTH", r.password); err != nil {
			return err
		} else if strings.HasPrefix(line, "-WRONGPASS") {
			return fmt.Errorf("redis refuses its password: %s", line)
		}
	}
	line, err := say("PING")
	switch {
	case err != nil:
		return err
	case line == "+PONG":
		return nil
	case strings.HasPrefix(line, "-NOAUTH") && r.password == "":
		return nil // an access list whose passwords we do not know: it answers
	}
	return fmt.Errorf("redis said %q", line) // -LOADING among others
}

// redisCommand is a command in Redis's own protocol.
func redisCommand(words []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}
