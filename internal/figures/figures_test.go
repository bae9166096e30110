package figures_test

import (
	"testing"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{0.0625: "0.062", 0.25: "0.250", 1: "1.00", 12.34: "12.3", 99.99: "100.0", 123.4: "123", 2725: "2725", -3: "-3.00"} {
		if got := figures.Digits(v); got != want {
			t.Errorf("Digits(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestGoals(t *testing.T) {
	var tally figures.Tally
	for _, test := range []struct {
		goal  figures.Goal
		value float64
		want  string
	}{
		{figures.AtLeast(2), 2, "met"},
		{figures.AtLeast(2), 1.9, "MISSED"},
		{figures.AtMost(2), 2, "met"},
		{figures.AtMost(2), 2.1, "MISSED"},
		{figures.NoGoal, 7, "–"},
	} {
		if got := tally.Judge(test.goal.Met(test.value), test.goal.String()); got != test.want {
			t.Errorf("%v under the goal %s: %s, want %s", test.value, test.goal, got, test.want)
		}
	}
	want := "2 of 4 goals met.\nMISSED ≥ 2.00\nMISSED ≤ 2.00\nNOT MEASURED a: b\n"
	if got := tally.Lines([]figures.Failure{{Case: "a", Why: "b"}}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	want := "| a  | b |\n|----|---|\n| µs | – |\n"
	if got := figures.Table([][]string{{"a", "b"}, {"µs", "–"}}); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
