package words

import "sync"

type nameSet struct{ given, family map[string]bool }

// knownNames are the names of all locales.
var knownNames = sync.OnceValue(func() nameSet {
	out := nameSet{map[string]bool{}, map[string]bool{}}
	for _, l := range locales() {
		for _, list := range [][]name{l.male, l.female} {
			for _, n := range list {
				out.given[n.native] = true
			}
		}
		for _, n := range l.family {
			out.family[n.native] = true
			out.family[n.female] = true
		}
	}
	return out
})
