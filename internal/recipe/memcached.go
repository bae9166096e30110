package recipe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// memcached runs the official image's server with Compose's flags.
var memcached = &Recipe{
	Name:    "memcached",
	Images:  []string{"memcached"},
	Ports:   []int{11211},
	Passive: true,
	Query:   queryMemcached,
	Launch:  launchMemcached,
	Package: map[string]string{"apt": "memcached", "brew": "memcached"},
}

func memcachedOptions(s rehearse.Service) ([]option, error) {
	flags, err := flagsOf(s, "memcached")
	return options(flags), err
}

func launchMemcached(c *Context) (*Launch, error) {
	given, err := memcachedOptions(c.Service)
	if err != nil {
		return nil, err
	}
	server, err := find(c, "memcached")
	if err != nil {
		return nil, err
	}
	port := listenPort(c, 11211, portOf(given, 11211, "p", "port"))
	args := []string{server, "-l", c.ListenHost, "-p", strconv.Itoa(port)}
	version, _ := versionOf(server, "-V")
	return &Launch{
		// A second -l would add an address, and -d would leave the foreground.
		Args:     append(args, without(given, "l", "listen", "p", "port", "d", "daemon", "u", "user")...),
		Findings: otherVersion(c.Service, "memcached", version, 2),
	}, nil
}

func queryMemcached(ctx context.Context, s rehearse.Service, dial Dial) error {
	given, err := memcachedOptions(s)
	if err != nil {
		given = nil // another driver runs what we cannot take apart
	}
	conn, err := ask(ctx, dial, portOf(given, 11211, "p", "port"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "version\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "VERSION ") {
		return fmt.Errorf("memcached said %q", strings.TrimSpace(line))
	}
	return nil
}
