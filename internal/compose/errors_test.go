package compose

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestErrors(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"yaml", "services:\n  web:\n    image: a\n   bad: x\n", `compose.yaml:3: not valid YAML: while parsing a block mapping: did not find expected key`},
		{"tab", "services:\n\tweb: 1\n", `compose.yaml:2: not valid YAML: while scanning for the next token: found character that cannot start any token`},
		{"unknown key", "services:\n  web:\n    imag: nginx\n", `compose.yaml:3: services.web: there is no key "imag"; did you mean image?`},
		{"wrong type", "services:\n  web:\n    image: nginx\n    ports: 80\n", `compose.yaml:4: services.web.ports must be a array`},
		{"bad duration", "services:\n  web:\n    image: nginx\n    healthcheck: {interval: foo}\n", `compose.yaml:4: services.web.healthcheck.interval: time: invalid duration "foo"`},
		{"no image", "services:\n  web:\n    ports: ['80:80']\n", `compose.yaml:2: service web has neither image nor build`},
		{"cycle", "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [a]}\n", `compose.yaml: services need each other in a circle: a -> b -> c -> a`},
		{"undefined service", "services:\n  a:\n    image: x\n    depends_on: [zz]\n", `compose.yaml:4: service a refers to the service zz, which is not defined`},
		{"undefined network", "services:\n  a: {image: x, networks: [zz]}\n", `compose.yaml:2: service a refers to the network zz, which is not defined`},
		{"undefined volume", "services:\n  a: {image: x, volumes: ['zz:/x']}\n", `compose.yaml:2: service a refers to the volume zz, which is not defined`},
		{"undefined secret", "services:\n  a: {image: x, secrets: [s]}\n", `compose.yaml:2: service a refers to the secret s, which is not defined`},
		{"required variable", "services:\n  a:\n    image: '${FOO:?must be set}'\n", `compose.yaml:3: services.a.image: the variable FOO is required and has no value: must be set`},
		{"bad interpolation", "services:\n  a: {image: 'x:${FOO'}\n", `compose.yaml:2: services.a.image: the interpolation is not well formed`},
		{"missing env file", "services:\n  a: {image: 'x', env_file: no.env}\n", `compose.yaml: env file no.env not found: stat no.env: no such file or directory`},
		{"missing include", "include: [nope.yml]\nservices:\n  a: {image: x}\n", `compose.yaml: open nope.yml: no such file or directory`},
		{"missing extends", "services:\n  a: {extends: {file: other.yml, service: b}}\n", `compose.yaml: open other.yml: no such file or directory`},
		{"empty", "", `compose.yaml: the Compose file is empty`},
		{"list", "- a\n", `compose.yaml:1: not a Compose file: its top level is no mapping`},
		{"top-level key", "service:\n  a: {image: x}\n", `compose.yaml:1: there is no key "service"; did you mean services?`},
		{"duplicate", "services:\n  a: {image: x}\n  a: {image: y}\n", `compose.yaml:3: not valid YAML: mapping key "a" already defined at line 2`},
		{"port", "services:\n  a: {image: x, ports: ['foo:bar']}\n", `compose.yaml: invalid containerPort: bar`},
		{"disabled", "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: y, profiles: [p]}\n", `compose.yaml:2: service a refers to the service b, which is not defined`},
		{"anchor", "services:\n  a: *nope\n", `compose.yaml:2: not valid YAML: unknown anchor 'nope' referenced`},
		{"memory", "services:\n  a: {image: x, mem_limit: lots}\n", `compose.yaml:2: services.a.mem_limit: invalid size: 'lots'`},
		{"command", "services:\n  a: {image: x, command: 'a \"b c'}\n", `compose.yaml:2: services.a.command: invalid command line string`},
		{"nested key", "services:\n  a:\n    image: x\n    healthcheck:\n      tests: a\n", `compose.yaml:5: services.a.healthcheck: there is no key "tests"`},
		{"build nested key", "services:\n  a:\n    image: x\n    deploy:\n      resources:\n        limit: {cpus: '1'}\n", `compose.yaml:6: services.a.deploy.resources: there is no key "limit"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(tt.file), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			_, err := Load(t.Context(), Options{Dir: "."})
			var e *rehearse.Error
			if !errors.As(err, &e) || e.Kind != rehearse.Invalid {
				t.Fatalf("got %v, want an error of kind Invalid", err)
			}
			if err.Error() != tt.want {
				t.Errorf("\ngot  %s\nwant %s", err, tt.want)
			}
		})
	}
}
