package compose

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// honoured are the keys of a service that the mapping takes over, or that do
// not change what runs. Every other key that is set gives a note, so that a key
// which Compose adds one day is named and not lost.
var honoured = set(
	"name", "profiles", "extends", "labels", "label_file", "annotations", "attach",
	"image", "build", "dockerfile", "command", "entrypoint", "environment", "env_file", "working_dir", "user", "hostname",
	"networks", "links", "container_name", "ports", "expose", "volumes", "tmpfs", "configs", "secrets",
	"depends_on", "healthcheck", "mem_limit", "cpus", "pids_limit", "stop_signal", "stop_grace_period", "restart",
	"deploy", "scale", // these two have notes of their own
)

// withoutSuch says what becomes of a key that the process driver does not
// honour. Keys that are not here get a general sentence.
var withoutSuch = map[string]string{
	"blkio_config":        "Disk bandwidth is not limited.",
	"cap_add":             "Services run without extra capabilities.",
	"cap_drop":            "Services keep the few capabilities that they have in their own namespaces.",
	"cpu_quota":           "Use cpus to limit processor time.",
	"cpu_shares":          "Services share the processors evenly.",
	"cpuset":              "Services run on every processor.",
	"develop":             "Files are not watched.",
	"device_cgroup_rules": "Services see no devices of the host.",
	"devices":             "Services see no devices of the host.",
	"dns":                 "Names resolve to the project's own services only.",
	"dns_opt":             "Names resolve to the project's own services only.",
	"dns_search":          "Names resolve to the project's own services only.",
	"domainname":          "Services have a host name without a domain.",
	"external_links":      "Containers outside of the project cannot be reached.",
	"extra_hosts":         "These names do not resolve: nothing outside of the project can be reached.",
	"gpus":                "Services see no graphics processors.",
	"group_add":           "Services run with their user's own group.",
	"init":                "Services have a process above them that reaps orphans in any case.",
	"ipc":                 "Services have their own interprocess communication.",
	"log_driver":          "The output of every service is recorded by rehearse.",
	"logging":             "The output of every service is recorded by rehearse.",
	"mac_address":         "Services have no hardware address.",
	"mem_reservation":     "Memory is not reserved.",
	"memswap_limit":       "Swap is not limited.",
	"models":              "No model is served.",
	"network_mode":        "The service joins the project's networks as any other does.",
	"oom_kill_disable":    "A service beyond its memory limit is killed.",
	"pid":                 "Services do not see each other's processes.",
	"platform":            "Services run on this machine's own platform.",
	"post_start":          "The hook does not run.",
	"pre_start":           "The hook does not run.",
	"pre_stop":            "The hook does not run.",
	"privileged":          "Services run without extra rights.",
	"provider":            "Nothing is provided.",
	"pull_policy":         "No image is pulled by the process driver.",
	"read_only":           "The service can write wherever its user may.",
	"runtime":             "Services run on the host's own kernel.",
	"security_opt":        "Services run under the host's own security profile.",
	"shm_size":            "Shared memory has the host's size.",
	"stdin_open":          "Services have no standard input.",
	"sysctls":             "Services see the host's kernel settings, or the defaults of a new network.",
	"tty":                 "Services have no terminal.",
	"ulimits":             "Services have the host's own limits.",
	"use_api_socket":      "Services cannot reach a container engine.",
	"userns_mode":         "Services run in the environment's own user namespace.",
	"volumes_from":        "Only the service's own volumes are mounted.",
}

// noteFields names every key of the service that is set and not honoured.
func (m *mapper) noteFields(s types.ServiceConfig) {
	for _, field := range setFields(reflect.ValueOf(s)) {
		// A service without network is one without links.
		if !honoured[field] && !(field == "network_mode" && s.NetworkMode == "none") {
			m.note(s.Name, field, without(field))
		}
	}
	for _, network := range slices.Sorted(maps.Keys(s.Networks)) {
		c := s.Networks[network]
		if c == nil {
			continue
		}
		for _, field := range setFields(reflect.ValueOf(*c)) {
			if field != "aliases" && field != "priority" && field != "gw_priority" {
				m.note(s.Name, "networks."+field, without("networks."+field))
			}
		}
	}
	if s.Build != nil && s.Build.DockerfileInline != "" {
		m.note(s.Name, "build.dockerfile_inline", "The Dockerfile inside of the Compose file is left out; name one with build.dockerfile.")
	}
	m.noteDeploy(s)
}

func (m *mapper) noteDeploy(s types.ServiceConfig) {
	// compose-go copies scale to deploy.replicas, or the other way round.
	if n := s.GetScale(); n == 0 {
		m.note(s.Name, "deploy.replicas", "The Compose file asks for no instance; one is started.")
	} else if n > 1 {
		m.note(s.Name, "deploy.replicas", fmt.Sprintf("The Compose file asks for %d instances; one is started.", n))
	}
	if s.Deploy == nil {
		return
	}
	for _, field := range setFields(reflect.ValueOf(*s.Deploy)) {
		switch field {
		case "replicas", "labels", "resources", "restart_policy":
		default:
			m.note(s.Name, "deploy."+field, without("deploy."+field))
		}
	}
	if s.Deploy.Resources.Reservations != nil {
		m.note(s.Name, "deploy.resources.reservations", without("deploy.resources.reservations")+" Limits are applied.")
	}
}

// projectNotes names what the project as a whole asks for in vain.
func (m *mapper) projectNotes(warnings []string) {
	for _, name := range slices.Sorted(maps.Keys(m.project.Jobs)) {
		m.note("", "jobs."+name, "Jobs with a trigger do not run.")
	}
	for _, name := range slices.Sorted(maps.Keys(m.project.Models)) {
		m.note("", "models."+name, "No model is served.")
	}
	for _, name := range slices.Sorted(maps.Keys(m.project.Networks)) {
		n := m.project.Networks[name]
		if bool(n.External) {
			m.note("", "networks."+name+".external", "The network exists outside of the project; here it joins the project's own services only.")
		}
		if n.Driver != "" && n.Driver != "bridge" {
			m.note("", "networks."+name+".driver", "The network's driver is not used: links carry the traffic.")
		}
	}
	seen := map[string]bool{}
	for _, w := range warnings {
		// The file format's version has meant nothing for years, and says
		// nothing about what runs.
		if seen[w] || strings.Contains(w, "attribute `version` is obsolete") {
			continue
		}
		seen[w] = true
		m.note("", "", strings.TrimSuffix(w, ".")+".")
	}
}

// without is the sentence for a key that is not honoured.
func without(field string) string {
	text := fmt.Sprintf("The process driver does not honour %s.", field)
	if more, ok := withoutSuch[field]; ok {
		text += " " + more
	}
	return text
}

// setFields lists the YAML keys of the fields that are not zero, sorted.
func setFields(v reflect.Value) []string {
	var keys []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case key == "-" || strings.HasPrefix(key, "#") || !f.IsExported():
		case f.Anonymous && strings.Contains(options, "inline"):
			keys = append(keys, setFields(v.Field(i))...)
		case !empty(v.Field(i)):
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// empty is true for zero values and for empty lists and maps.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	if v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Bool {
		return !v.Elem().Bool()
	}
	return v.IsZero()
}

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
