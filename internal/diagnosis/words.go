package diagnosis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func text[D rehearse.Duration | time.Duration](d D) string {
	return rehearse.Round(time.Duration(d)).String()
}

// plus is a change with its sign.
func plus(d rehearse.Duration) string {
	if d > 0 {
		return "+" + text(d)
	}
	return text(d)
}

// percent is "84%".
func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// few prints a count that may be a mean: "48", "1.3".
func few(n float64) string { return strconv.FormatFloat(float64(int64(n*10+0.5))/10, 'f', -1, 64) }

// count is "1 call", "2 calls".
func count(n float64, noun string) string {
	if few(n) == "1" {
		return "1 " + noun
	}
	return few(n) + " " + noun + "s"
}

// bytesText prints a size in decimal units, as in "1.2 MB".
func bytesText(v float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	return fmt.Sprintf("%.3g %s", v, units[i])
}

// short is an operation or a path without where it is: "POST /documents",
// "SELECT templates".
func short(name string) string {
	_, rest, ok := strings.Cut(name, arrow)
	if !ok {
		rest = name
	}
	if _, call, ok := strings.Cut(rest, " "); ok {
		return call
	}
	return name
}

// says puts a group into words that follow "is".
func (g group) says() string {
	client, upstream, _ := strings.Cut(g.where, arrow)
	switch g.kind {
	case rehearse.SegmentWait:
		return "waiting for a connection on " + g.where
	case rehearse.SegmentQueue:
		return "queueing on " + g.where
	case rehearse.SegmentShape:
		return "the way of " + g.where
	case rehearse.SegmentNetwork:
		return fmt.Sprintf("between %s and the link to %s", client, upstream)
	case rehearse.SegmentServer:
		return fmt.Sprintf("%s at work on %s", upstream, g.where)
	case rehearse.SegmentTransfer:
		return "bytes coming on " + g.where
	case kindCalls:
		return "calls on " + g.where
	}
	return g.where + " itself"
}

// list joins with commas and "and".
func list(items []string) string {
	if n := len(items); n > 1 {
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
	return strings.Join(items, "")
}
