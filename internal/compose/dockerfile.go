package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// dockerfile is the text that a service's image is built from; empty when there
// is none here, as with a context that is a URL.
func dockerfile(b *types.BuildConfig) string {
	switch {
	case b == nil:
		return ""
	case b.DockerfileInline != "":
		return b.DockerfileInline
	case !filepath.IsAbs(b.Context):
		return ""
	}
	data, err := os.ReadFile(inDir(b.Context, b.Dockerfile))
	if err != nil {
		return "" // the build says so, if there is one
	}
	return string(data)
}

// exposed lists what the stage of a Dockerfile exposes, and the stages of the
// same file that it is made from. An empty target is the last stage. Variables
// are not looked into.
func exposed(text, target string) []string {
	stages := map[string][]string{} // by name and by number
	name, count := "", 0
	var current []string
	end := func() {
		if count > 0 {
			stages[name], stages[strconv.Itoa(count-1)] = current, current
		}
	}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "FROM":
			end()
			for strings.HasPrefix(words[1], "--") && len(words) > 2 {
				words = words[1:]
			}
			current = slices.Clone(stages[strings.ToLower(words[1])])
			name = ""
			if len(words) == 4 && strings.EqualFold(words[2], "AS") {
				name = strings.ToLower(words[3])
			}
			count++
		case "EXPOSE":
			current = append(current, words[1:]...)
		}
	}
	end()
	if target == "" {
		return current
	}
	return stages[strings.ToLower(target)]
}
