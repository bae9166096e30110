package toxiproxy

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// holderOf says which process listens on an address, as in "nginx (process 812)",
// or nothing where that cannot be seen: on other systems than Linux, and of
// other users' processes.
func holderOf(a address) string {
	inode := ""
	switch a.network {
	case "unix":
		inode = unixInode(a.at)
	case "udp":
		inode = ipInode("/proc/net/udp", unconnected, a.at)
	default:
		inode = ipInode("/proc/net/tcp", listening, a.at)
	}
	if inode == "" || inode == "0" {
		return ""
	}
	target := "socket:[" + inode + "]"
	// Matches in a process that ends meanwhile, or that we may not look into,
	// just fail to read.
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err != nil || name != target {
			continue
		}
		process := strings.Split(fd, "/")[2]
		comm, err := os.ReadFile(filepath.Join("/proc", process, "comm"))
		if err != nil {
			return "process " + process
		}
		return fmt.Sprintf("%s (process %s)", bytes.TrimSpace(comm), process)
	}
	return ""
}

// The states of sockets that hold an address, from the kernel's tcp_states.h,
// which UDP shares.
const (
	unconnected = "07" // TCP_CLOSE
	listening   = "0A" // TCP_LISTEN
)

// ipInode finds the socket of a state that is in the way of an address, in a
// table such as /proc/net/tcp and in that table's IPv6 half (see proc(5)): the
// same port, and the same address or one of the two is that of all interfaces.
func ipInode(table, state, at string) string {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return ""
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	want := net.ParseIP(host)
	for _, half := range []string{table, table + "6"} {
		for _, fields := range rows(half) {
			if len(fields) < 10 || fields[3] != state {
				continue
			}
			ip, p, ok := kernelAddress(fields[1])
			if ok && p == number && (want == nil || want.IsUnspecified() || ip.IsUnspecified() || ip.Equal(want)) {
				return fields[9]
			}
		}
	}
	return ""
}

// kernelAddress reads an address of /proc/net/tcp: words of the host's byte
// order, which is little-endian wherever we run, and a port.
func kernelAddress(s string) (net.IP, int, bool) {
	words, port, ok := strings.Cut(s, ":")
	if !ok {
		return nil, 0, false
	}
	ip, err := hex.DecodeString(words)
	if err != nil || len(ip)%4 != 0 {
		return nil, 0, false
	}
	for i := 0; i < len(ip); i += 4 {
		slices.Reverse(ip[i : i+4])
	}
	number, err := strconv.ParseUint(port, 16, 16)
	return ip, int(number), err == nil
}

// unixInode finds the listening socket of a path. Those of its connections have
// the same path.
func unixInode(path string) string {
	for _, fields := range rows("/proc/net/unix") {
		const accepts = "00010000"
		if len(fields) >= 8 && fields[3] == accepts && fields[7] == path {
			return fields[6]
		}
	}
	return ""
}

// rows are the fields of a table of the kernel's, without its head.
func rows(table string) [][]string {
	data, err := os.ReadFile(table)
	if err != nil {
		return nil
	}
	var out [][]string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		out = append(out, strings.Fields(lines.Text()))
	}
	return out[min(1, len(out)):]
}
