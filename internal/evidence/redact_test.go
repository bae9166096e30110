package evidence

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestLooksSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"POSTGRES_PASSWORD": true, "PGPASSWORD": true, "DB_PASS": true, "DB_PWD": true, "API_KEY": true, "apiKey": true,
		"SECRET_KEY_BASE": true, "GITHUB_TOKEN": true, "AWS_CREDENTIALS": true, "SENTRY_DSN": true, "Authorization": true,
		"X-Api-Key": true, "--password": true,
		"PWD": false, "POSTGRES_PASSWORD_FILE": false, "MONKEY": false, "KEYSPACE": false, "PATH": false, "PASSENGERS": false,
		"POSTGRES_HOST_AUTH_METHOD": false, "": false,
	} {
		if got := looksSecret(name); got != want {
			t.Errorf("looksSecret(%q): got %v, want %v", name, got, want)
		}
	}
}

func TestRedactText(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://app:hunter2@db:5432/app?sslmode=disable": "postgres://app:••••@db:5432/app?sslmode=disable",
		"redis://:hunter2@cache":                             "redis://:••••@cache",
		"amqp://u:p@ss@mq/%2f":                               "amqp://u:••••@mq/%2f",
		"app:hunter2@tcp(db:3306)/app":                       "app:••••@tcp(db:3306)/app",
		"host=db user=app password=hunter2 dbname=x":         "host=db user=app password=•••• dbname=x",
		"https://api.example/x?page=2&token=hunter2":         "https://api.example/x?page=2&token=••••",
		"url=https://h?token=hunter2":                        "url=https://h?token=••••",
		`{"user": "a", "password": "hunter 2"}`:              `{"user": "a", "password": "••••"}`,
		"Bearer hunter2hunter2":                              "Bearer ••••",
		"http://db:8080/path":                                "http://db:8080/path",
		"postgres://app@db/app":                              "postgres://app@db/app",
		"plain text: nothing here":                           "plain text: nothing here",
	} {
		if got := new(redactor).text(in); got != want {
			t.Errorf("the text %q: got %q, want %q", in, got, want)
		}
	}
}

func TestRedactPlan(t *testing.T) {
	const secret = "hunter2"
	plan := rehearse.Plan{
		Services: []rehearse.Service{{
			Name:    "db",
			Image:   "postgres:17",
			Command: []string{"redis-server", "--requirepass", secret, "--port", "6379"},
			Env:     map[string]string{"PGPASSWORD": secret, "DATABASE_URL": "postgres://a:" + secret + "@db/x", "PORT": "80", "EMPTY_TOKEN": ""},
			Build: &rehearse.Build{
				Args: map[string]string{"NPM_TOKEN": secret}, Labels: map[string]string{"api.key": secret},
				Context: "https://me:" + secret + "@git.example/app.git", Contexts: map[string]string{"lib": "https://me:" + secret + "@git.example/lib.git"},
				Inline: "FROM scratch\nENV API_TOKEN=" + secret, CacheFrom: []string{"type=s3,secret_access_key=" + secret + ",region=x"},
			},
			Container: &rehearse.Container{
				Labels:      map[string]string{"app.password": secret, "app.url": "postgres://a:" + secret + "@db/x", "app.tier": "data"},
				Annotations: map[string]string{"token": secret},
				PreStart:    []rehearse.Hook{{Command: []string{"init", "--password", secret}}},
				PostStart:   []rehearse.Hook{{Env: map[string]string{"PGPASSWORD": secret}}},
				PreStop:     []rehearse.Hook{{Command: []string{"sh", "-c", "curl http://me:" + secret + "@db/stop"}}},
			},
			Process: &rehearse.Process{Command: []string{"app", "--api-key=" + secret}, Env: map[string]string{"DSN": secret}},
			Mounts:  []rehearse.Mount{{Type: "config", Content: "password: " + secret}},
			Ready:   rehearse.Readiness{Probes: []rehearse.Probe{{Shell: "mysql --password=" + secret}, {Command: []string{"mysql", "--password", secret}}}},
		}},
		Steps: []rehearse.Step{
			{Suite: &rehearse.SuiteStep{Name: "e2e", Env: map[string]string{"API_TOKEN": secret}, Command: []string{"t", "--token", secret}}},
			{Load: &rehearse.LoadStep{Name: "peak", Traffic: rehearse.Traffic{
				Requests: []rehearse.Request{{Headers: map[string]string{"Authorization": "Basic " + secret}, Path: "/x?api_key=" + secret, Body: `{"password":"` + secret + `"}`}},
				Lists:    map[string][]string{"tokens": {secret}, "names": {"ada"}},
			}}},
		},
	}
	before, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	got := Redact(plan)
	after, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(after), secret) {
		t.Errorf("the redacted plan still holds the secret: %s", after)
	}
	if now, _ := json.Marshal(plan); string(now) != string(before) {
		t.Errorf("Redact changed its argument: got %s, want %s", now, before)
	}
	s := got.Services[0]
	if s.Env["PORT"] != "80" || s.Env["EMPTY_TOKEN"] != "" || s.Command[4] != "6379" || s.Image != "postgres:17" {
		t.Errorf("got %+v, want what is no secret unchanged", s)
	}
	if got := s.Container.Labels["app.tier"]; got != "data" {
		t.Errorf("got the label %q, want data: it is no secret", got)
	}
	if again := Redact(got); !reflect.DeepEqual(again, got) {
		t.Errorf("redacting twice: got %+v, want %+v", again, got)
	}
	if empty := Redact(rehearse.Plan{}); !reflect.DeepEqual(empty, rehearse.Plan{}) {
		t.Errorf("the empty plan: got %+v", empty)
	}
}
