package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestAsHTTP(t *testing.T) {
	tests := []struct {
		probe rehearse.Probe
		want  *rehearse.HTTPGet
	}{
		{rehearse.Probe{Command: []string{"curl", "-f", "http://localhost"}}, &rehearse.HTTPGet{Port: 80, Path: "/"}},
		{rehearse.Probe{Command: []string{"wget", "-q", "--spider", "http://127.0.0.1:8080/healthz"}}, &rehearse.HTTPGet{Port: 8080, Path: "/healthz"}},
		{rehearse.Probe{Shell: "curl --fail http://localhost:5000/health?deep=1 || exit 1"}, &rehearse.HTTPGet{Port: 5000, Path: "/health?deep=1"}},
		{rehearse.Probe{Shell: `wget -O /dev/null "http://0.0.0.0:80/" || false`}, &rehearse.HTTPGet{Port: 80, Path: "/"}},
		{rehearse.Probe{Shell: "curl -s http://localhost:9200/_cluster/health | grep -q green"}, nil},
		{rehearse.Probe{Shell: "curl -f http://localhost:${PORT}/"}, nil},
		{rehearse.Probe{Shell: "curl -f http://other:80/"}, nil},
		{rehearse.Probe{Shell: "curl -X POST http://localhost:80/"}, nil},
		{rehearse.Probe{Shell: "curl -fk https://localhost:443/"}, nil},
		{rehearse.Probe{Shell: "curl http://localhost:1/ http://localhost:2/"}, nil},
		{rehearse.Probe{Shell: "pg_isready"}, nil},
		{rehearse.Probe{Port: 80}, nil},
	}
	for _, tt := range tests {
		var got *rehearse.HTTPGet
		if get, ok := asHTTP(tt.probe); ok {
			got = &get
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%+v: (-want +got)\n%s", tt.probe, d)
		}
	}
}

func TestMentions(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{"postgres://app:secret@db:5432/app", true},
		{"postgres://db/app", true},
		{"redis://db", true},
		{"db:5432", true},
		{"other:1,db:5432", true},
		{"db:$PORT", true},
		{"host=db port=5432", true},
		{"psql -h db -U app", true},
		{"jdbc:mysql://db:3306/x", true},
		{"postgres://db:5432,other:5432/app", true},
		{"postgres://db@other/app", false},
		{"postgres://db:5432@other/app", false},
		{"postgres://u@other/db", false},
		{"olddb:5432", false},
		{"db-replica:5432", false},
		{"db.example.com:5432", false},
		{"my.db:5432", false},
		{"db", false}, // equality is the caller's question
		{"use the db", false},
		{"db:latest", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := mentions(tt.text, "db"); got != tt.want {
			t.Errorf("mentions(%q, db): got %v, want %v", tt.text, got, tt.want)
		}
	}
}

func TestMentionedPorts(t *testing.T) {
	for text, want := range map[string][]int{
		"db:5432":                                {5432},
		"postgres://app:1@db:5432/app":           {5432},
		"PLAINTEXT://db:29092,CONTROLLER://db:1": {29092, 1},
		"http://db:8080":                         {8080},
		"postgres://db:5432@other/app":           nil,
		"db:17-alpine":                           nil,
		"db:1.2":                                 nil,
		"db:$PORT":                               nil,
		"db:70000":                               nil,
		"mydb:5432":                              nil,
		"db":                                     nil,
	} {
		if d := cmp.Diff(want, mentionedPorts(text, "db")); d != "" {
			t.Errorf("%s: (-want +got)\n%s", text, d)
		}
	}
}
