package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse"
)

// Plain makes a text that services wrote safe for one line of a terminal.
func Plain(s string) string { return plain(s) }

// plain makes evidence's text safe for one line of a terminal: no escape
// sequences, no line breaks.
func plain(s string) string {
	s = strings.ToValidUTF8(s, "�")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		// Cf holds the marks that turn the direction of text around.
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
}

func mark(o rehearse.Outcome) string {
	switch o {
	case rehearse.Pass:
		return "✓"
	case rehearse.Fail:
		return "✗"
	case rehearse.Unverified:
		return "?"
	}
	return "–"
}

// headline is "staging: PASS · production: FAIL".
func headline(legs []rehearse.LegReport) string {
	parts := make([]string, len(legs))
	for i, l := range legs {
		parts[i] = plain(l.Name) + ": " + shout(l.Verdict.Outcome)
	}
	return strings.Join(parts, " · ")
}

func shout(o rehearse.Outcome) string { return strings.ToUpper(string(o)) }

// summary says in a sentence or two what the run showed.
func summary(r rehearse.Report) string {
	legs := r.Legs
	if len(legs) == 1 {
		bad, open := tally(legs[0].Verdict)
		switch {
		case bad > 0:
			return fmt.Sprintf("%d of %d checks failed.", bad, len(legs[0].Verdict.Findings))
		case open > 0:
			return fmt.Sprintf("Nothing failed, but %s could not be shown.", count(open, "check"))
		}
		return fmt.Sprintf("Every one of %s passed.", count(len(legs[0].Verdict.Findings), "check"))
	}
	differ := 0
	for _, d := range checks(legs) {
		if d.Outcome {
			differ++
		}
	}
	passes := slices.IndexFunc(legs, func(l rehearse.LegReport) bool { return l.Verdict.Outcome == rehearse.Pass })
	fails := slices.IndexFunc(legs, func(l rehearse.LegReport) bool { return l.Verdict.Outcome == rehearse.Fail })
	switch {
	case len(legs) == 0:
		return "The run has no leg."
	case differ == 0:
		return "The legs agree on every check."
	case passes >= 0 && fails >= 0:
		return fmt.Sprintf("What passes in %s fails in %s: %s.", plain(legs[passes].Name), plain(legs[fails].Name), verb(differ, "check", "differs", "differ"))
	}
	return verb(differ, "check", "differs", "differ") + " from leg to leg."
}

func tally(v rehearse.Verdict) (bad, open int) {
	for _, f := range v.Findings {
		switch f.Outcome {
		case rehearse.Fail:
			bad++
		case rehearse.Unverified:
			open++
		}
	}
	return bad, open
}

// count is "1 check", "2 checks".
func count(n int, noun string) string { return verb(n, noun, "", "") }

// verb is "1 check differs", "2 checks differ".
func verb(n int, noun, one, many string) string {
	if n == 1 {
		return strings.TrimSpace("1 " + noun + " " + one)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %ss %s", n, noun, many))
}

// number groups thousands, as in "12,345".
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesText prints a size in decimal units, as in "1.2 MB".
func bytesText(n int64) string {
	v, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", v, units[i])
}

// short prints a duration for a table; "–" when nothing was counted.
func short(d rehearse.Duration, counted bool) string {
	if !counted {
		return "–"
	}
	return rehearse.Round(time.Duration(d)).String()
}

// percent is a share for a table, as in "12.5%".
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*float64(part)/float64(whole)), ".0") + "%"
}

func width(s string) int { return utf8.RuneCountInString(s) }

// pad fills a cell up to a width, counted in runes.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// cut shortens a text to a width.
func cut(s string, n int) string {
	if width(s) <= n || n < 1 {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// wrap breaks a text into lines of at most n runes where it has spaces; with n
// below one it stays one line.
func wrap(s string, n int) []string {
	if n < 1 {
		return []string{s}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= n:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// linkColumns are the heads of a table of links; linkRow gives the cells.
var linkColumns = []string{"link", "shape", "conns", "max in flight", "round trips", "up", "down", "asked p50", "gave p50", "error p99", "refused", "resets"}

func linkRow(l link) []string {
	s := l.stats
	return []string{
		plain(string(s.ID)),
		l.spec.Shape.String(),
		number(s.Connections),
		number(s.MaxInFlight),
		number(s.RoundTrips),
		bytesText(s.BytesUp),
		bytesText(s.BytesDown),
		short(s.DelayAsked.P50, s.DelayAsked.Count > 0),
		short(s.DelayGiven.P50, s.DelayGiven.Count > 0),
		short(s.DelayError.P99, s.DelayError.Count > 0),
		number(s.Refused),
		number(s.Resets),
	}
}

// tiersText says how truthfully a leg's links carried their shapes, if they had
// any: " · tier packet".
func tiersText(l leg) string {
	tiers := map[string]bool{}
	for _, k := range l.links {
		if !k.spec.Shape.IsZero() && k.stats.Tier != "" {
			tiers[string(k.stats.Tier)] = true
		}
	}
	if len(tiers) == 0 {
		return ""
	}
	return " · tier " + strings.Join(slices.Sorted(maps.Keys(tiers)), ", ")
}

// wholes rounds figures to whole ones that add up to the rounded sum: those that
// lose most are rounded up.
func wholes(parts []float64) []int64 {
	out := make([]int64, len(parts))
	order := make([]int, len(parts))
	sum, left := 0.0, int64(0)
	for i, p := range parts {
		out[i], order[i] = int64(math.Floor(p)), i
		sum += p
		left -= out[i]
	}
	left += int64(math.Round(sum))
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(parts[b]-math.Floor(parts[b]), parts[a]-math.Floor(parts[a]))
	})
	for _, i := range order[:min(max(left, 0), int64(len(order)))] {
		out[i]++
	}
	return out
}

// fixed prints n / 10^decimals, with thousands grouped: "1,020.5".
func fixed(n int64, decimals int) string {
	if decimals == 0 {
		return number(n)
	}
	sign, unit := "", int64(math.Pow10(decimals))
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%s.%0*d", sign, number(n/unit), decimals, n%unit)
}

// share is a part of a whole as a percentage; what is not all or nothing does not
// look like it.
func share(part, whole int) string {
	text := percent(part, whole)
	switch {
	case text == "0%" && part > 0:
		return "<0.1%"
	case text == "100%" && part < whole:
		return ">99.9%"
	}
	return text
}
