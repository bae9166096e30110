package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
)

func (a *app) dataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Data with production's shape, and none of its values",
		Long: `Measure the shape of production's database into a file that can be committed,
generate rows of that shape, say how alike the two are, and give every
environment a copy that costs next to nothing.

A profile is profiles/NAME.data.yaml, and what its columns mean may stand in
profiles/NAME.plan.yaml beside it. In rehearse.yaml a dataset names both.`,
		Example: `  rehearse data profile postgres://reader@db.example/shop
  rehearse data generate shop --to postgres://postgres@localhost/shop --scale 0.05
  rehearse data check shop --against postgres://postgres@localhost/shop`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		a.dataProfileCommand(), a.dataGenerateCommand(), a.dataRepairCommand(), a.dataCheckCommand(),
		a.dataSnapshotCommand(), a.dataCloneCommand(), a.dataResetCommand(),
	)
	return c
}

// profilesDir is where profiles are, below the project's directory.
const profilesDir = "profiles"

const (
	profileSuffix = ".data.yaml"
	planSuffix    = ".plan.yaml"
)

// findProfile finds the data profile that an argument means: a file by its path,
// or profiles/NAME.data.yaml.
func findProfile(arg string) (string, error) {
	if strings.ContainsRune(arg, filepath.Separator) || strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml") {
		return arg, nil // whoever reads it says what is wrong
	}
	file := filepath.Join(profilesDir, arg+profileSuffix)
	_, err := os.Stat(file)
	if err == nil {
		return file, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", &rehearse.Error{Kind: rehearse.Invalid, File: file, Msg: "cannot be read", Err: err}
	}
	hint := "Make one with rehearse data profile URL --name " + arg + "."
	known := profileNames()
	if near, ok := rehearse.Nearest(arg, known); ok {
		hint = "Did you mean " + near + "?"
	} else if len(known) > 0 {
		hint = "There are: " + strings.Join(known, ", ") + "."
	}
	return "", &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("there is no data profile %q in %s", arg, profilesDir), Hint: hint}
}

// profileNames are the profiles of the project in this directory.
func profileNames() []string {
	files, err := filepath.Glob(filepath.Join(profilesDir, "*"+profileSuffix))
	if err != nil {
		return nil
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), profileSuffix)
	}
	return files
}

// completeProfiles completes the first argument.
func completeProfiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return profileNames(), cobra.ShellCompDirectiveDefault
}

// planFileOf is where the plan of a profile is kept: beside it.
func planFileOf(profile string) string {
	base := strings.TrimSuffix(profile, profileSuffix)
	if base == profile {
		base = strings.TrimSuffix(profile, filepath.Ext(profile))
	}
	return base + planSuffix
}

// isURL tells a database from a directory.
func isURL(s string) bool { return strings.Contains(s, "://") }

// databaseName is the name of a URL's database; empty where it has none.
func databaseName(databaseURL string) string {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return ""
	}
	return strings.Trim(u.Path, "/")
}

// writeFile writes a file whole or not at all, with its directory.
func writeFile(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: "make the directory of " + path, Err: err, Hint: "Name another file with -o."}
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: "write " + path, Err: err, Hint: "Name another file with -o."}
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writable says before a long measurement that its file could not be written. A
// directory that is made for it stays.
func writable(path string) error {
	if path == "-" {
		return nil
	}
	if isDir(path) {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: path + " is a directory", Hint: "Name a file with -o."}
	}
	dir := filepath.Dir(path)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, "."+filepath.Base(path)+".*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: "write " + path, Err: err, Hint: "Name another file with -o."}
	}
	return nil
}

// noted is how many notes are printed; --json has them all.
const noted = 20

// printNotes prints notes as talk.
func (a *app) printNotes(notes []string) {
	for _, n := range notes[:min(len(notes), noted)] {
		fmt.Fprintf(a.stderr, "  note: %s\n", printable(n))
	}
	if more := len(notes) - noted; more > 0 {
		fmt.Fprintf(a.stderr, "  and %d more notes, which --json prints\n", more)
	}
}

// orEmpty is a list that JSON prints as one, also where there is nothing.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// count is a number with thousands apart.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size is a number of bytes.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// tick shows how far something is: live on a terminal, every five seconds in a
// pipe.
func (p *progress) tick(text string) {
	p.mu.Lock()
	if p.live {
		p.show(text)
		p.mu.Unlock()
		return
	}
	if p.lastLoad.IsZero() {
		p.lastLoad = p.started
	}
	due := time.Since(p.lastLoad) >= 5*time.Second
	if due {
		p.lastLoad = time.Now()
	}
	p.mu.Unlock()
	if due {
		p.say("%s", text)
	}
}

// filling shows how a database is filled: a line for each phase, and on a
// terminal one below them with an estimate.
type filling struct {
	watch *progress
	phase load.Phase
	since time.Time
}

// phases are what the phases of a load do, for people.
var phases = map[load.Phase]string{
	load.PhaseCheck:      "try the constraints",
	load.PhaseIndexes:    "make indexes and keys",
	load.PhaseReferences: "validate references",
	load.PhaseAnalyze:    "analyze",
}

func (f *filling) show(g load.Progress) {
	if g.Phase != f.phase {
		f.phase, f.since = g.Phase, time.Now()
		text := phases[g.Phase]
		if g.Phase == load.PhaseLoad {
			text = "load " + rowsText(g.Total)
		}
		f.watch.say("  %s", text)
	}
	if !f.watch.live {
		return
	}
	text := fmt.Sprintf("  %s  %s of %s", bar(time.Duration(g.Done), time.Duration(g.Total)), count(g.Done), count(g.Total))
	if g.Phase == load.PhaseLoad {
		text += estimate(g.Done, g.Total, time.Since(f.since))
	}
	f.watch.tick(text + "  " + g.Table)
}

// estimate is the rate so far and how long the rest takes at it.
func estimate(done, total int64, took time.Duration) string {
	if done <= 0 || took <= 0 {
		return ""
	}
	rate := float64(done) / took.Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second))
	return fmt.Sprintf("  %s rows/s, %v left", count(int64(rate)), left.Round(time.Second))
}

// oneOf checks that a word is one of some.
func oneOf(flag, word string, known []string) error {
	if slices.Contains(known, word) {
		return nil
	}
	hint := "Use " + strings.Join(known[:len(known)-1], ", ") + " or " + known[len(known)-1] + "."
	if near, ok := rehearse.Nearest(word, known); ok {
		hint = "Did you mean " + near + "?"
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s is %q", flag, word), Hint: hint}
}
