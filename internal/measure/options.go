package measure

import (
	"path"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Options are how a profile is made. The zero value is useful.
type Options struct {
	Description string
	// K is how many rows a value must be held by to be listed; 20 unless given.
	K int
	// Epsilon, above 0, adds noise to every count: see [profile.DataPrivacy].
	Epsilon float64
	// Sample is how many rows of a table are read; 30,000 unless given. Tables up
	// to three times as large are read whole.
	Sample int64
	// Include and Exclude are patterns of tables as of [path.Match]. Without
	// Include, all are.
	Include, Exclude []string
	// AllowWrite lets a role profile that may write.
	AllowWrite bool
	// Parallel is how many tables are read at a time; 2 unless given.
	Parallel int
	// Seed makes the sample, and the noise, the same again. 0: the noise is from
	// the system's own source of chance, which is what keeps it a secret.
	Seed uint64
	// Now is when the profile is taken; zero: what the server says.
	Now time.Time
	// Progress, unless nil, is called when a table has been read, from one
	// goroutine at a time.
	Progress func(Progress)
}

// Progress is how far a profile is.
type Progress struct {
	Table        string // that has been read
	Rows         int64  // read of it
	Done, Tables int
}

func (o Options) withDefaults() Options {
	if o.K <= 0 {
		o.K = 20
	}
	if o.Sample <= 0 {
		o.Sample = 30_000
	}
	if o.Parallel <= 0 {
		o.Parallel = 2
	}
	return o
}

// wants reports whether a table is to be read. Patterns have been checked.
func (o Options) wants(table string) bool {
	match := func(pattern string) bool {
		ok, err := path.Match(pattern, table)
		return ok && err == nil
	}
	return (len(o.Include) == 0 || slices.ContainsFunc(o.Include, match)) && !slices.ContainsFunc(o.Exclude, match)
}

// taken is the instant that times are told from.
func (o Options) taken(info Info) time.Time {
	now := o.Now
	if now.IsZero() {
		now = info.Now
	}
	return now.UTC().Truncate(time.Hour)
}

// privacy is what the options promise.
func (o Options) privacy() profile.DataPrivacy {
	return profile.DataPrivacy{K: o.K, Epsilon: o.Epsilon}
}
