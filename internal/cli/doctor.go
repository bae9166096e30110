package cli

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// checkup is one line of what doctor finds.
type checkup struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Got  string `json:"got"`
	Hint string `json:"hint,omitempty"` // how to get the rest
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host can do, and how to get the rest",
		Long: `Find out which drivers work here and how well they isolate, which programs the
recipes and the examples would use, and where state and cache are kept. What is
missing comes with how to get it. The exit status is 3 when no environment can be
made at all.`,
		Example: "  rehearse doctor\n  rehearse doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, able := a.examine(cmd.Context())
			if !able {
				a.exit = exitCannot
			}
			if asJSON {
				return printJSON(a, found)
			}
			for _, f := range found {
				mark := "✓"
				if !f.OK {
					mark = "–"
				}
				if _, err := fmt.Fprintf(a.stdout, "%s %-22s %s\n", mark, f.Name, f.Got); err != nil {
					return err
				}
				if f.Hint != "" && !f.OK {
					fmt.Fprintf(a.stdout, "  %-22s → %s\n", "", f.Hint)
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// examine looks at everything, and says whether any driver works.
func (a *app) examine(ctx context.Context) (found []checkup, able bool) {
	found = append(found, checkup{Name: "system", OK: true, Got: fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())})
	for _, name := range stand.DriverNames {
		d, err := a.Driver(name)
		if err != nil {
			continue
		}
		c := d.Capabilities(ctx)
		able = able || c.Available
		found = append(found, driverCheckup(name, c))
		for _, f := range c.Facts {
			found = append(found, checkup{Name: "  " + f.Name, OK: f.Value == "yes", Got: strings.TrimSpace(f.Value + " " + f.Note)})
		}
	}
	for _, p := range []struct{ program, why, hint string }{
		{"go", "builds Go services", "https://go.dev/dl"},
		{"node", "runs Playwright suites", "apt-get install nodejs"},
		{"npm", "fetches PostgreSQL where the host has none", "apt-get install npm"},
		{"chromium", "the browser of Playwright suites", "apt-get install chromium"},
		{"initdb", "recipe postgres", "apt-get install postgresql; without it, PostgreSQL is fetched with npm"},
		{"redis-server", "recipe redis", "apt-get install redis-server"},
		{"nats-server", "recipe nats", "apt-get install nats-server"},
		{"mariadbd", "recipe mariadb", "apt-get install mariadb-server"},
		{"rabbitmq-server", "recipe rabbitmq", "apt-get install rabbitmq-server"},
		{"memcached", "recipe memcached", "apt-get install memcached"},
		{"nginx", "recipe nginx", "apt-get install nginx"},
	} {
		found = append(found, lookFor(p.program, p.why, p.hint))
	}
	hosts := checkup{Name: "host names", OK: true, Got: "services find each other by their Compose names"}
	if c := found[1]; !strings.Contains(c.Got, "namespaces") {
		hosts = checkup{Name: "host names", Got: "Compose names do not resolve; addresses are put into environment variables instead", Hint: c.Hint}
	}
	found = append(found, hosts)
	ipv6 := checkup{Name: "IPv6", OK: true, Got: "the loopback has it"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		ipv6 = checkup{Name: "IPv6", Got: "no: " + err.Error(), Hint: "Nothing needs it."}
	} else {
		l.Close()
	}
	return append(found, ipv6,
		checkup{Name: "state", OK: true, Got: a.State},
		checkup{Name: "cache", OK: true, Got: a.Cache}), able
}

func driverCheckup(name string, c driver.Capabilities) checkup {
	out := checkup{Name: "driver " + name, OK: c.Available && c.Why == "", Got: "works", Hint: c.Hint}
	if c.Tier != "" {
		out.Got += ", tier " + c.Tier
	}
	if !c.Available {
		out.Got = "does not work"
	}
	if c.Why != "" {
		out.Got += ": " + c.Why
	}
	return out
}

// lookFor finds a program, also where Debian keeps those of servers.
func lookFor(program, why, hint string) checkup {
	for _, place := range []string{program, "/usr/sbin/" + program, "/usr/local/sbin/" + program} {
		if path, err := exec.LookPath(place); err == nil {
			return checkup{Name: program, OK: true, Got: path + " (" + why + ")"}
		}
	}
	if program == "initdb" {
		if path := newestInitdb(); path != "" {
			return checkup{Name: program, OK: true, Got: path + " (" + why + ")"}
		}
	}
	return checkup{Name: program, Got: "not found (" + why + ")", Hint: hint}
}
