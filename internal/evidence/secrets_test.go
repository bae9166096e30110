package evidence

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func TestSecrets(t *testing.T) {
	plan := &rehearse.Plan{
		Project: "orders", Dir: "/srv/orders-api",
		Services: []rehearse.Service{{
			Name: "database", Image: "postgres:17",
			Env: map[string]string{
				"POSTGRES_PASSWORD": "orders", "ADMIN_PASSWORD": "database", "POSTGRES_USER": "ann-of-orders", "DB_PASSWORD": "ann-of-orders",
				"API_TOKEN": "hunter2-token", "DATABASE": "postgres://ann:pa%2Fss-word@db/x", "ROOT_PASSWORD": "changeme",
				"INNOCENT": "not-taken-out",
			},
		}},
		Steps: []rehearse.Step{{Load: &rehearse.LoadStep{Name: "peak", Traffic: rehearse.Traffic{
			Requests: []rehearse.Request{{Headers: map[string]string{"Authorization": "Basic YW5uOmJhc2ljLXBhc3N3b3Jk", "X-Api-Key": "key-of-header"}}},
		}}}},
	}
	secrets := Secrets([]*rehearse.Plan{plan}, []string{"SHOP_SECRET=of-the-host", "PATH=/usr/bin", "URL=http://a:of-a-url@b", "SSH_KEY_FILE=/etc/ssh-key"}, "of-a-file\n")
	for text, taken := range map[string]bool{
		"hunter2-token": true, "pa%2Fss-word": true, "pa/ss-word": true, "YW5uOmJhc2ljLXBhc3N3b3Jk": true, "basic-password": true,
		"key-of-header": true, "of-the-host": true, "of-a-url": true, "of-a-file": true,
		"orders": false, "database": false, "ann-of-orders": false, "changeme": false, "not-taken-out": false, "/usr/bin": false, "/etc/ssh-key": false,
	} {
		if got := secrets.In([]byte("x " + text + " y")); got != taken {
			t.Errorf("%q: taken out %v, want %v", text, got, taken)
		}
	}
}

// TestRecordsHoldNoSecret writes a secret into whatever a record can say, and into
// samples and a log, and finds it nowhere, while all can still be read.
func TestRecordsHoldNoSecret(t *testing.T) {
	const secret = `hunter2"<é`
	root := t.TempDir()
	run, err := Create(root, NewRunID(time.Now(), rand.New(rand.NewPCG(1, 2))), Meta{Project: "shop", Legs: []string{"production"}})
	if err != nil {
		t.Fatal(err)
	}
	run.Secrets = Secrets(nil, []string{"TOKEN=" + secret})
	leg, err := run.Leg("production")
	if err != nil {
		t.Fatal(err)
	}
	text := "a " + secret + " b"
	samples := []rehearse.Sample{{Request: text}, {Request: "home"}}
	rel, sum, err := leg.WriteSamples("peak", samples)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range []rehearse.Record{
		{Begin: &rehearse.Begin{Plan: rehearse.Plan{Project: "shop", Services: []rehearse.Service{{Name: "web", Command: []string{"serve", text}}}}}},
		{Service: &rehearse.ServiceEvent{Service: "web", State: rehearse.Failed, Detail: text}},
		{Fact: &rehearse.Fact{Value: text}},
		{Suite: &rehearse.SuiteResult{Step: "e2e", Tail: []string{text}, Tests: []rehearse.Test{{Name: text, Message: text}}}},
		{Migration: &rehearse.MigrationResult{Failed: "ALTER ROLE ann PASSWORD '" + secret + "'"}},
		{Load: &rehearse.LoadResult{Step: "peak", Samples: rel, Count: len(samples), SHA256: sum}},
		{End: &rehearse.End{Error: text, Left: []string{text}}},
	} {
		if err := leg.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
	log, err := leg.OpenLog("web")
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"a hunt", `er2"`, "<é b\n"} {
		if _, err := log.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{log, leg} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"evidence.jsonl", "samples/peak.jsonl", "logs/web.log"} {
		data, err := os.ReadFile(filepath.Join(run.Dir(), "production", name))
		if err != nil {
			t.Fatal(err)
		}
		if run.Secrets.In(data) || !strings.Contains(string(data), "a •••• b") {
			t.Errorf("%s: %s", name, data)
		}
	}
	archive, err := Open(run.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if damage := archive.Legs[0].Evidence.Damage; len(damage) > 0 {
		t.Errorf("the evidence is damaged: %v", damage)
	}
}
