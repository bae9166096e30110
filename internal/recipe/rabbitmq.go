package recipe

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// rabbitmq runs the official image's broker: the default user, password and
// virtual host, configuration files, definitions and enabled plugins. The
// management plugin is on where the tag says so. Without namespaces all brokers of
// a host share one of Erlang's name servers, and only port 5672 can be had.
var rabbitmq = &Recipe{
	Name:    "rabbitmq",
	Images:  []string{"rabbitmq"},
	Ports:   []int{5672, 15672},
	Passive: true,
	Query:   queryRabbitMQ,
	Launch:  launchRabbitMQ,
	Package: map[string]string{"apt": "rabbitmq-server", "brew": "rabbitmq"},
}

// rabbitmqAccount is who may log in.
type rabbitmqAccount struct {
	user, password, vhost string
	// unknown is true where definitions make the users.
	unknown bool
}

func rabbitmqAccountOf(s rehearse.Service) (rabbitmqAccount, error) {
	a := rabbitmqAccount{}
	for _, v := range []struct {
		to              *string
		name, otherwise string
	}{
		{&a.user, "RABBITMQ_DEFAULT_USER", "guest"}, {&a.password, "RABBITMQ_DEFAULT_PASS", "guest"}, {&a.vhost, "RABBITMQ_DEFAULT_VHOST", "/"},
	} {
		var err error
		if *v.to, err = fileVar(s, v.name, v.otherwise); err != nil {
			return a, err
		}
	}
	for _, config := range rabbitmqConfigs(s) {
		for line := range strings.Lines(config) {
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				continue
			}
			value = strings.Trim(strings.TrimSpace(value), "'")
			switch strings.TrimSpace(key) {
			case "default_user":
				a.user = value
			case "default_pass":
				a.password = value
			case "default_vhost":
				a.vhost = value
			case "load_definitions", "management.load_definitions", "definitions.local.path":
				a.unknown = true
			}
		}
	}
	return a, nil
}

const rabbitmqEtc = "/etc/rabbitmq"

// rabbitmqConfigs are the configuration files that Compose gives, in the order
// in which the broker reads them.
func rabbitmqConfigs(s rehearse.Service) []string {
	files, _, err := textsBelow(s, rabbitmqEtc)
	if err != nil {
		return nil // whoever starts the broker will say so
	}
	var out []string
	if text, ok := files[rabbitmqEtc+"/rabbitmq.conf"]; ok {
		out = append(out, text)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Dir(name) == rabbitmqEtc+"/conf.d" && strings.HasSuffix(name, ".conf") {
			out = append(out, files[name])
		}
	}
	return out
}

func launchRabbitMQ(c *Context) (*Launch, error) {
	if _, err := flagsOf(c.Service, "rabbitmq-server"); err != nil {
		return nil, err
	}
	a, err := rabbitmqAccountOf(c.Service)
	if err != nil {
		return nil, err
	}
	// The program in PATH may be the distribution's wrapper, which wants to be
	// root. The broker's own script does not.
	server, ok := c.In("rabbitmq-server", "/usr/lib/rabbitmq/bin", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin", "/opt/rabbitmq/sbin")
	if !ok {
		if server, err = find(c, "rabbitmq-server"); err != nil {
			return nil, err
		}
	}
	files, owned, err := textsBelow(c.Service, rabbitmqEtc)
	if err != nil {
		return nil, err
	}
	etc := c.Run + "/etc"
	l := &Launch{
		Args: []string{server}, Owns: append(owned, "/var/lib/rabbitmq"), Files: map[string]string{},
		Findings: emptyData(c.Service, "rabbitmq", "/var/lib/rabbitmq", "/var/lib/rabbitmq/mnesia"),
	}
	for name, text := range files {
		l.Files[etc+strings.TrimPrefix(name, rabbitmqEtc)] = strings.ReplaceAll(text, rabbitmqEtc+"/", etc+"/")
	}
	management := strings.Contains(Tag(c.Service.Image), "management")
	alone := c.ListenPort == 5672
	// The last of two lines with the same key wins.
	config := []string{
		"default_user = " + a.user, "default_pass = " + a.password, "default_vhost = " + a.vhost, "loopback_users = none",
	}
	for _, text := range rabbitmqConfigs(c.Service) {
		for line := range strings.Lines(strings.ReplaceAll(text, rabbitmqEtc+"/", etc+"/")) {
			if !strings.HasPrefix(strings.TrimSpace(line), "listeners.tcp") {
				config = append(config, strings.TrimRight(line, "\r\n"))
			}
		}
	}
	config = append(config, fmt.Sprintf("listeners.tcp.1 = %s:%d", c.ListenHost, c.ListenPort))
	plugins := "[rabbitmq_prometheus]."
	if management {
		plugins = "[rabbitmq_management,rabbitmq_prometheus]."
	}
	if given, ok := files[rabbitmqEtc+"/enabled_plugins"]; ok {
		plugins = given
		management = strings.Contains(given, "rabbitmq_management")
	}
	if !alone {
		plugins = "[]."
		if management {
			l.Findings = append(l.Findings, rehearse.Fact{Name: "rabbitmq.management", Value: "off", Note: "only one port can be had here"})
		}
	} else if c.ListenHost != "0.0.0.0" {
		config = append(config, "prometheus.tcp.ip = "+c.ListenHost, "management.tcp.ip = "+c.ListenHost)
	}
	if !strings.Contains(plugins, "rabbitmq_management") {
		config = slices.DeleteFunc(config, func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "management.") })
	}
	if !strings.Contains(plugins, "rabbitmq_prometheus") {
		config = slices.DeleteFunc(config, func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "prometheus.") })
	}
	l.Files[etc+"/rabbitmq.conf"] = strings.Join(config, "\n") + "\n"
	l.Files[etc+"/enabled_plugins"] = plugins + "\n"
	for name := range l.Files {
		if path.Dir(name) == etc+"/conf.d" {
			delete(l.Files, name) // it is in rabbitmq.conf now
		}
	}
	l.Env = maps.Clone(c.Service.Env)
	if l.Env == nil {
		l.Env = map[string]string{}
	}
	// The broker takes these for its own, and RABBITMQ_DEFAULT_USER as a reason
	// to ignore the file.
	for name := range l.Env {
		if strings.HasPrefix(name, "RABBITMQ_DEFAULT_") || strings.HasSuffix(name, "_FILE") {
			delete(l.Env, name)
		}
	}
	node := "rabbit@localhost"
	if c.ListenHost != "0.0.0.0" {
		node = fmt.Sprintf("rehearse-%s-%d@localhost", strings.ReplaceAll(c.ListenHost, ".", "-"), c.ListenPort)
		l.Env["RABBITMQ_DIST_PORT"] = strconv.Itoa(20000 + c.ListenPort%20000)
	}
	maps.Copy(l.Env, map[string]string{
		"RABBITMQ_NODENAME":             node,
		"RABBITMQ_MNESIA_BASE":          c.Data + "/mnesia",
		"RABBITMQ_LOG_BASE":             c.Data + "/log",
		"RABBITMQ_LOGS":                 "-",
		"RABBITMQ_CONFIG_FILE":          etc + "/rabbitmq.conf",
		"RABBITMQ_ADVANCED_CONFIG_FILE": etc + "/advanced.config",
		"RABBITMQ_CONF_ENV_FILE":        etc + "/rabbitmq-env.conf",
		"RABBITMQ_ENABLED_PLUGINS_FILE": etc + "/enabled_plugins",
		"RABBITMQ_GENERATED_CONFIG_DIR": c.Data + "/config",
		"RABBITMQ_SCHEMA_DIR":           c.Data + "/schema",
		"RABBITMQ_PID_FILE":             c.Run + "/rabbitmq.pid",
		// Erlang's name server, which the broker starts, is nobody else's business.
		"ERL_EPMD_ADDRESS": "127.0.0.1",
	})
	return l, nil
}

func queryRabbitMQ(ctx context.Context, s rehearse.Service, dial Dial) error {
	a, err := rabbitmqAccountOf(s)
	if err != nil {
		return err
	}
	conn, err := ask(ctx, dial, 5672)
	if err != nil {
		return err
	}
	defer conn.Close()
	return askAMQP(conn, a)
}
