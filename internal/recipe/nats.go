package recipe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// nats runs the official image's server. Without a command the image monitors on
// port 8222; a command takes the place of that.
var nats = &Recipe{
	Name:    "nats",
	Images:  []string{"nats"},
	Ports:   []int{4222, 8222},
	Passive: true,
	Query:   queryNATS,
	Launch:  launchNATS,
	Package: map[string]string{"apt": "nats-server", "brew": "nats-server"},
}

func natsOptions(s rehearse.Service) ([]option, error) {
	flags, err := flagsOf(s, "nats-server")
	return options(flags), err
}

func launchNATS(c *Context) (*Launch, error) {
	given, err := natsOptions(c.Service)
	if err != nil {
		return nil, err
	}
	server, err := find(c, "nats-server")
	if err != nil {
		return nil, err
	}
	port := listenPort(c, 4222, portOf(given, 4222, "p", "port"))
	version, _ := versionOf(server, "--version")
	data := []string{"/data"}
	l := &Launch{Env: maps.Clone(c.Service.Env), Findings: otherVersion(c.Service, "nats", version, 2)}
	l.Args = []string{server, "-a", c.ListenHost, "-p", strconv.Itoa(port)}
	switch {
	case c.ListenPort != 4222:
		if len(given) == 0 || valueOf(given, "m", "http_port", "ms", "https_port") != "" {
			l.Findings = append(l.Findings, rehearse.Fact{Name: "nats.monitoring", Value: "off", Note: "only one port can be had here"})
		}
		given = options(without(given, "m", "http_port", "ms", "https_port"))
	case len(given) == 0:
		l.Args = append(l.Args, "-m", "8222")
	}
	ownStore := false
	if config := valueOf(given, "c", "config"); config != "" {
		text, _ := textAt(c.Service, config)
		ownStore = strings.Contains(text, "store_dir")
		if source, ok := onHost(c.Service, config); ok {
			config = source
			l.Visible = append(l.Visible, source)
		}
		l.Args = append(l.Args, "-c", config)
	}
	if store := valueOf(given, "sd", "store_dir"); store != "" {
		data = append(data, store)
	}
	if ownStore {
		data = nil // the server takes no second word on it, so the volume stays
	} else {
		l.Args = append(l.Args, "-sd", c.Data)
	}
	l.Args = append(l.Args, without(given, "c", "config", "sd", "store_dir", "a", "addr", "net", "p", "port", "P", "pid", "l", "log")...)
	l.Owns = data
	l.Findings = append(l.Findings, emptyData(c.Service, "nats", data...)...)
	return l, nil
}

func queryNATS(ctx context.Context, s rehearse.Service, dial Dial) error {
	given, err := natsOptions(s)
	if err != nil {
		given = nil // another driver runs what we cannot take apart
	}
	conn, err := ask(ctx, dial, portOf(given, 4222, "p", "port"))
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	text, ok := strings.CutPrefix(line, "INFO ")
	if !ok {
		return fmt.Errorf("nats said %q", strings.TrimSpace(line))
	}
	var info struct {
		AuthRequired bool `json:"auth_required"`
		TLSRequired  bool `json:"tls_required"`
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return fmt.Errorf("nats's INFO: %w", err)
	}
	hello := map[string]any{"verbose": false, "pedantic": false, "lang": "go", "name": "rehearse", "version": "1", "protocol": 1}
	for key, names := range map[string][]string{"user": {"user"}, "pass": {"pass"}, "auth_token": {"auth"}} {
		if v := valueOf(given, names...); v != "" {
			hello[key] = v
		}
	}
	known := slices.ContainsFunc([]string{"user", "auth_token"}, func(key string) bool { return hello[key] != nil })
	if info.TLSRequired || info.AuthRequired && !known {
		return nil // we have no key for what its file asks, and it answers
	}
	data, err := json.Marshal(hello)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "CONNECT "+string(data)+"\r\nPING\r\n"); err != nil {
		return err
	}
	if line, err = in.ReadString('\n'); err != nil {
		return err
	}
	if strings.TrimSpace(line) != "PONG" {
		return fmt.Errorf("nats said %q", strings.TrimSpace(line))
	}
	return nil
}
