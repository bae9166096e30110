package report

import "strings"

// widthsOf are how wide the columns of a table are, whose rows are equally long.
func widthsOf(table [][]string) []int {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for c, cell := range row {
			widths[c] = max(widths[c], width(cell))
		}
	}
	return widths
}

// tableLine is a row of a table; a cell that is wider than its column is cut. Figures say
// of a column whether its cells stand to the right.
func tableLine(row []string, widths []int, figures func(column int) bool) string {
	var cells []string
	for c, cell := range row {
		cell = cut(cell, widths[c])
		if figures(c) {
			cell = strings.Repeat(" ", widths[c]-width(cell)) + cell
		}
		cells = append(cells, pad(cell, widths[c]))
	}
	return strings.TrimRight(strings.Join(cells, "  "), " ")
}
