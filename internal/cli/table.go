package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// table prints aligned columns on a terminal, and tab-separated lines without a
// head in a pipe.
type table struct {
	head []string
	rows [][]string
}

// add adds a row. What would end a line or a cell, or command a terminal, is
// escaped: names come from other people's databases.
func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	t.rows = append(t.rows, cells)
}

// printable escapes control characters as Go does, and leaves all else alone.
func printable(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (t *table) print(a *app) error {
	width, tty := terminal(a.stdout)
	if !tty {
		for _, r := range t.rows {
			if _, err := fmt.Fprintln(a.stdout, strings.Join(r, "\t")); err != nil {
				return err
			}
		}
		return nil
	}
	return t.aligned(a, width)
}

func (t *table) aligned(a *app, width int) error {
	widths := make([]int, len(t.head))
	for _, r := range append([][]string{t.head}, t.rows...) {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for n, r := range append([][]string{t.head}, t.rows...) {
		var b strings.Builder
		for i, c := range r {
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2))
			}
		}
		line := b.String()
		if runes := []rune(line); width > 0 && len(runes) > width {
			line = string(runes[:width-1]) + "…"
		}
		if n == 0 && a.color(a.stdout) {
			line = "\x1b[1m" + line + "\x1b[0m"
		}
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
