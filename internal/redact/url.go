package redact

import (
	"net/url"
	"regexp"
	"strings"
)

const hidden = "xxxxx"

var passwordSetting = regexp.MustCompile(`(?i)((?:^|[\s?&])(?:ssl)?password\s*=\s*)('(?:\\.|[^'\\])*'?|[^&\s]*)`)

// URL is a database's URL, or libpq's keywords, with any password hidden. What cannot be
// told from a password is hidden too.
func URL(s string) string {
	s = passwordSetting.ReplaceAllString(s, "${1}"+hidden)
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	// A password that should have been percent-encoded may hold anything, so where
	// the URL is not sound, all up to its last @ may be one.
	end := len(rest)
	if u, err := url.Parse(s); err == nil && u.User != nil {
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			end = i
		}
	}
	at := strings.LastIndexByte(rest[:end], '@')
	user, _, has := strings.Cut(rest[:max(at, 0)], ":")
	if !has {
		return s
	}
	return scheme + "://" + user + ":" + hidden + rest[at:]
}
