package processes

import "testing"

func TestMounts(t *testing.T) {
	const list = `571 490 0:48 / / rw,relatime - overlay overlay rw
572 571 254:0 /home/u/.local/share/docker/containers/0a1b/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw
573 571 0:50 / /proc rw - proc proc rw
`
	for name, want := range map[string]bool{"0a1b": true, "0a1": false, "resolv.conf": true, "etc": false} {
		if got := mounts(list, name); got != want {
			t.Errorf("mounts(%q) = %t, want %t", name, got, want)
		}
	}
}
