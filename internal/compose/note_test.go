package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Some keys are noted for some of their values, each key once for a service.
func TestNotesByValue(t *testing.T) {
	tests := []struct {
		service string
		want    []string
	}{
		{"network_mode: none", nil},
		{"network_mode: 'service:db'", nil},
		{"network_mode: host", []string{"network_mode"}},
		{"ipc: host", nil},
		{"ipc: 'container:other'", []string{"ipc"}},
		{"volumes_from: [db]", nil},
		{"volumes_from: [db, 'container:other']", []string{"volumes_from"}},
		{"pull_policy: always", nil},
		{"pull_policy: every_12h", []string{"pull_policy"}},
		{"deploy: {mode: replicated, replicas: 3}", nil},
		{"deploy: {mode: global}", []string{"deploy.mode"}},
		{"scale: 0", []string{"deploy.replicas"}},
		{"security_opt: ['systempaths=unconfined', 'label:disable']", []string{"security_opt"}},
		{"networks: {a: {ipv4_address: 10.0.0.2}, b: {ipv4_address: 10.1.0.2}}", []string{"networks.ipv4_address"}},
		{"volumes: ['./a:/a:z', './b:/b:Z']", []string{"volumes.bind.selinux"}},
		{"volumes: [{type: image, source: example/i, target: /i}]", []string{"volumes"}},
		{"deploy: {resources: {limits: {cpus: '1', memory: 1G}, reservations: {memory: 1M}}}", nil},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		text := fmt.Sprintf("services:\n  db: {image: example/db}\n  web:\n    image: example/web\n    %s\nnetworks: {a: {}, b: {}}\n", tt.service)
		if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := Load(t.Context(), Options{Dir: dir, Driver: "docker"})
		if err != nil {
			t.Errorf("%s: %v", tt.service, err)
			continue
		}
		var got []string
		for _, n := range p.Notes {
			got = append(got, n.Field)
			if !strings.HasSuffix(n.Text, ".") || strings.Contains(n.Text, "process driver") {
				t.Errorf("%s: %q is no sentence of this driver's", tt.service, n.Text)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.service, d)
		}
	}
}
