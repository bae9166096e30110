package process

import (
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"/usr/lib/postgresql/9/bin", "/usr/lib/postgresql/15/bin", -1},
		{"/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/15/bin", 0},
		{"1.10", "1.9", 1},
		{"a", "ab", -1},
	} {
		if got := compareVersions(c.a, c.b); got != c.want {
			t.Errorf("compareVersions(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestRewriteHosts(t *testing.T) {
	e := newEnvironment(Options{}, testSpec())
	e.tier = TierPorts
	e.clients["web"].upstreams = []*upstreamView{{names: []string{"db", "database"}, host: "127.0.0.1", ports: []portView{{5432, 40001}}}}
	for _, c := range []struct{ in, want string }{
		{"db", "127.0.0.1"},
		{"db:5432", "127.0.0.1:40001"},
		{"postgres://u:p@db:5432/app", "postgres://u:p@127.0.0.1:40001/app"},
		{"http://database/x", "http://127.0.0.1/x"},
		{"db:5432,db:5432", "127.0.0.1:40001,127.0.0.1:40001"},
		{"mydb", "mydb"},
		{"db-data", "db-data"},
		{"/var/lib/db", "/var/lib/db"},
	} {
		if got := e.rewriteHosts("web", c.in); got != c.want {
			t.Errorf("rewriteHosts(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	e.tier = TierNamespaces
	if got := e.rewriteHosts("web", "db:5432"); got != "db:5432" {
		t.Errorf("with namespaces names resolve, and yet db:5432 became %q", got)
	}
}

func testSpec() (spec driver.Spec) {
	spec.Plan = &rehearse.Plan{Services: []rehearse.Service{{Name: "web"}, {Name: "db"}}}
	return spec
}
