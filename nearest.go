package rehearse

import (
	"maps"
	"slices"
)

// Nearest finds the known word that a mistyped one most likely meant: the one
// with the smallest edit distance, if that is small for the word's length.
func Nearest(word string, known []string) (string, bool) {
	const longest = 64 // no word that we know is longer
	if len(word) > longest {
		return "", false
	}
	// A short word must be closer: "web" is no mistyped "db".
	best, bestDistance := "", min(len(word)/3+2, max(2, len(word)-1))
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := editDistance(word, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best, best != ""
}

func didYouMean(word string, known []string) string {
	if k, ok := Nearest(word, known); ok {
		return "; did you mean " + k + "?"
	}
	return ""
}

// editDistance is Levenshtein's, with a transposition of neighbours counted as
// one edit (optimal string alignment).
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range t {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}

func keys[V any](m map[string]V) []string { return slices.Collect(maps.Keys(m)) }
