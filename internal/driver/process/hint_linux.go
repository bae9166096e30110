package process

import (
	"os"
	"strings"
)

// namespacesHint says how to get user namespaces on this host.
func namespacesHint() string {
	if v, err := os.ReadFile("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"); err == nil && strings.TrimSpace(string(v)) == "1" {
		return "AppArmor keeps unprivileged users from making user namespaces; run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	}
	if v, err := os.ReadFile("/proc/sys/kernel/unprivileged_userns_clone"); err == nil && strings.TrimSpace(string(v)) == "0" {
		return "Unprivileged user namespaces are switched off; run: sudo sysctl -w kernel.unprivileged_userns_clone=1"
	}
	if v, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err == nil && strings.TrimSpace(string(v)) == "0" {
		return "User namespaces are switched off; run: sudo sysctl -w user.max_user_namespaces=10000"
	}
	return "Inside a container, start it with --security-opt seccomp=unconfined and --security-opt systempaths=unconfined."
}
