package plan

import (
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
)

// What is proposed for a project can be pasted, and makes a plan.
func TestSuggest(t *testing.T) {
	in := docgen(t, rehearse.Production())
	p, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	var text, names strings.Builder
	text.WriteString("experiments:\n")
	for _, s := range Suggest(p) {
		text.WriteString("  " + s.YAML() + "\n")
		names.WriteString(s.Use + " " + s.Target + "\n")
		in.Config.Rehearsal = append(in.Config.Rehearsal, config.Step{Experiment: config.Ref{Name: s.Name}})
	}
	const want = `dependency-down docgen:db
dependency-slow docgen:db
connection-reset-storm docgen:db
packet-loss docgen:db
flapping-network docgen:db
region-outage us-east-1
region-latency us-east-1
database-failover db
cold-restart docgen
slow-consumer ingress:docgen
`
	if got := names.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	in.Config.Experiments = parse(t, text.String()).Experiments
	if _, err := Make(in); err != nil {
		t.Errorf("what is proposed cannot be planned: %v", err)
	}
	// A driver that can do nothing to services is not asked to.
	p.Driver = "kube"
	for _, s := range Suggest(p) {
		if s.Use == "cold-restart" {
			t.Error("a restart is proposed to a driver that cannot")
		}
	}
}
