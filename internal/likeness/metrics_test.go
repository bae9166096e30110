package likeness

import (
	"math"
	"testing"
)

var nan = math.NaN()

func TestKSComplement(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b []float64
		want float64
	}{
		{"the same", []float64{1, 2, 2, 3}, []float64{2, 3, 1, 2}, 1},
		{"the same twice", []float64{1, 2}, []float64{1, 1, 2, 2}, 1},
		{"apart", []float64{1, 2}, []float64{3, 4}, 0},
		{"half of it", []float64{1, 2, 3, 4}, []float64{3, 4, 5, 6}, 0.5},
		{"ties", []float64{0, 0, 0, 1}, []float64{0, 1, 1, 1}, 0.5},
		{"missing ones do not count", []float64{1, nan, 2}, []float64{2, 1, nan, nan}, 1},
		{"infinity", []float64{1, math.Inf(1)}, []float64{1, 2}, 0.5},
		{"nothing", []float64{nan}, []float64{1}, nan},
	} {
		t.Run(tt.name, func(t *testing.T) { same(t, KSComplement(tt.a, tt.b), tt.want) })
	}
}

func TestTVComplement(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b []int32
		want float64
	}{
		{"the same", []int32{0, 0, 1}, []int32{1, 0, 0}, 1},
		{"apart", []int32{0}, []int32{1}, 0},
		// ½(|.5-.2| + |.5-.3| + |0-.5|) = .5
		{"partly", []int32{0, 1}, []int32{0, 0, 1, 1, 1, 2, 2, 2, 2, 2}, 0.5},
		{"missing ones do not count", []int32{0, missing}, []int32{0}, 1},
		{"nothing", []int32{missing}, []int32{0}, nan},
	} {
		t.Run(tt.name, func(t *testing.T) { same(t, TVComplement(tt.a, tt.b), tt.want) })
	}
}

func TestPearson(t *testing.T) {
	for _, tt := range []struct {
		name string
		x, y []float64
		want float64
	}{
		{"a line", []float64{1, 2, 3}, []float64{10, 20, 30}, 1},
		{"downwards", []float64{1, 2, 3}, []float64{3, 2, 1}, -1},
		// Σxy = 1.5·…: dx = -1.5,-.5,.5,1.5; dy = -.5,-1.5,1.5,.5; Σ = .75·2+.75·2 = 3; Σdx² = Σdy² = 5.
		{"by hand", []float64{1, 2, 3, 4}, []float64{2, 1, 4, 3}, 0.6},
		{"rows with a missing value do not count", []float64{1, 2, 3, nan}, []float64{3, 2, 1, 100}, -1},
		{"constant", []float64{1, 1}, []float64{1, 2}, nan},
		{"one row", []float64{1}, []float64{1}, nan},
		{"far from zero", []float64{1e15, 1e15 + 2, 1e15 + 4}, []float64{1, 2, 3}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) { same(t, Pearson(tt.x, tt.y), tt.want) })
	}
	same(t, CorrelationSimilarity(0.6, -0.2), 0.6)
}

func TestContingencySimilarity(t *testing.T) {
	// The margins are the same and the pairs are not: ½·4·¼ = ½.
	together := [2][]int32{{0, 0, 1, 1}, {0, 0, 1, 1}}
	independent := [2][]int32{{0, 0, 1, 1}, {0, 1, 0, 1}}
	same(t, ContingencySimilarity(together, together), 1)
	same(t, ContingencySimilarity(together, independent), 0.5)
	same(t, ContingencySimilarity([2][]int32{{missing}, {0}}, [2][]int32{{0}, {0}}), 0)
	same(t, ContingencySimilarity([2][]int32{}, independent), nan)
	// A table that is too wide for a slice is counted in a map.
	wide := [2][]int32{{0, 100_000}, {0, 100_000}}
	same(t, ContingencySimilarity(wide, wide), 1)
	same(t, ContingencySimilarity(wide, [2][]int32{{0, 100_000}, {100_000, 0}}), 0)
	same(t, CramersV(together[0], together[1]), 1)
	same(t, CramersV(independent[0], independent[1]), 0)
	same(t, CramersV([]int32{0, 0}, []int32{0, 1}), nan)
}

func TestBins(t *testing.T) {
	bounds := edges([]float64{0, nan, 100, math.Inf(1)})
	got := digitize([]float64{-1, 0, 5, 10, 99, 100, 101, nan}, bounds)
	for i, want := range []int32{0, 1, 1, 2, 10, 11, 11, missing} {
		if got[i] != want {
			t.Errorf("value %d is in bin %d, want %d", i, got[i], want)
		}
	}
	same(t, edges([]float64{3, 3})[0], 2.5)
	if edges([]float64{nan}) != nil {
		t.Error("there are bounds without a value")
	}
}

func TestAdherence(t *testing.T) {
	same(t, BoundaryAdherence([]float64{1, 5}, []float64{0, 1, 3, 5, nan}), 0.75)
	same(t, BoundaryAdherence([]float64{nan}, []float64{1}), nan)
	same(t, CategoryAdherence([]int32{0, 1}, []int32{0, 1, 2, missing}), 0.5)
	same(t, CategoryAdherence([]int32{0, missing}, []int32{0, missing}), 1)
	same(t, MissingValueSimilarity(0.25, 0.75), 0.5)
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]float64{
		"1970-01-02":                       86400,
		"1970-01-01 00:00:01.5":            1.5,
		"1970-01-01 02:00:00+02":           0,
		"1969-12-31 20:30:00-03:30":        0,
		"1970-01-01T00:00:10Z":             10,
		"08:30:00":                         30600,
		"infinity":                         math.Inf(1),
		"-infinity":                        math.Inf(-1),
		"0001-01-01 BC":                    -62167219200 + 0,
		"294276-12-31 23:59:59.999999":     9224318015999.999999,
		"0000-00-00":                       nan,
		"tomorrow":                         nan,
		"1970-01-01 00:00:00 Europe/Paris": nan,
	} {
		got, ok := seconds(text)
		if ok == math.IsNaN(want) {
			t.Errorf("%q: is read %v", text, ok)
		}
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty", "12": "integer", "-12": "integer", "1.5": "decimal", "-": "identifier",
		"0123456789abcdef": "hex", "5f0c2b1a-0000-4000-8000-000000000000": "uuid", "a@b.example": "email",
		"https://a.example/b": "url", "2026-01-31": "date", `{"a":1}`: "json", "[1]": "json", "/usr/bin": "path",
		"word": "word", "order-12": "identifier", "two words": "words", "!": "other", "Zürich": "word",
	} {
		if got := formatNames[formatOf([]byte(text))]; got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func FuzzSeconds(f *testing.F) {
	f.Add("2026-01-31 08:30:00.25+02:30")
	f.Fuzz(func(t *testing.T, text string) {
		formatOf([]byte(text))
		if v, ok := seconds(text); ok && math.IsNaN(v) {
			t.Errorf("%q is a time that is none", text)
		}
	})
}

func same(t *testing.T, got, want float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-12 {
		t.Errorf("got %v, want %v", got, want)
	}
}
