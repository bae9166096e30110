package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/llm"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/synth"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// Spec says what a dataset is made of.
type Spec struct {
	Profile  string // a data profile's file; empty: from the schema alone
	PlanFile string // what columns mean, see package llm; empty: guessed
	Scale    float64
	Seed     uint64
	Rows     int64 // of a table that no profile describes
	// Without are aspects that the rows are made without.
	Without []rehearse.Aspect
	// Now is what times are relative to; zero: when the profile was taken.
	Now time.Time
}

// Files are the read files of a dataset.
type Files struct {
	Spec    Spec
	Profile *profile.Data // nil: none
	Plan    *llm.Plan     // nil: none
}

// Read reads the files of a dataset. The error is a [rehearse.Problems] with all
// that is wrong in them.
func Read(s Spec) (*Files, error) {
	f := &Files{Spec: s}
	var err error
	if s.Profile != "" {
		if f.Profile, err = profile.ReadData(s.Profile); err != nil {
			return nil, err
		}
	}
	if s.PlanFile != "" {
		if f.Plan, err = llm.Read(s.PlanFile); err != nil {
			return nil, err
		}
	}
	for _, a := range s.Without {
		f.leaveOut(a)
	}
	return f, nil
}

// generation is changed when the same files give other rows than before.
const generation = "rows of generator 1"

// Key is everything that the rows depend on beside the schema.
func Key(s Spec) ([]string, error) {
	out := []string{generation, fmt.Sprintf("scale %g seed %d rows %d", s.Scale, s.Seed, s.Rows)}
	for _, a := range s.Without {
		out = append(out, "without "+string(a))
	}
	if !s.Now.IsZero() {
		out = append(out, s.Now.UTC().Format(time.RFC3339Nano))
	}
	for _, file := range []string{s.Profile, s.PlanFile} {
		if file == "" {
			out = append(out, "no file")
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, &rehearse.Error{Kind: rehearse.Invalid, File: file, Msg: "cannot be read", Err: err, Hint: "Its path counts from the project's directory."}
		}
		sum := sha256.Sum256(data)
		out = append(out, hex.EncodeToString(sum[:]))
	}
	return out, nil
}

// Compile makes the program of a dataset for a schema. Notes say where the files
// and the schema differ.
func Compile(ctx context.Context, s *schema.Schema, f *Files) (program *synth.Program, notes []string, err error) {
	return compile(ctx, s, f, nil)
}

func compile(ctx context.Context, s *schema.Schema, f *Files, kept map[string]synth.Kept) (program *synth.Program, notes []string, err error) {
	o := synth.Options{Kept: kept, Profile: f.Profile, Scale: f.Spec.Scale, Seed: f.Spec.Seed, Rows: f.Spec.Rows, Now: f.Spec.Now}
	if f.Profile != nil {
		if err := related(f.Profile, s); err != nil {
			return nil, nil, err
		}
		notes = differences(f.Profile, s, kept)
	}
	if f.Plan != nil {
		plan, problems := llm.Validate(f.Plan, s, meanings(), fits)
		for _, p := range problems {
			notes = append(notes, p.Error())
		}
		o.Meanings, o.References, o.Rules = map[string]words.Meaning{}, map[string][]schema.ForeignKey{}, map[string][]schema.Check{}
		apply(plan, &o)
	}
	program, err = synth.Compile(ctx, s, o)
	if err != nil {
		return nil, notes, err
	}
	return program, append(notes, program.Notes()...), nil
}

// related refuses a profile of another database altogether, of which nothing would
// be made.
func related(p *profile.Data, s *schema.Schema) error {
	for i := range p.Tables {
		if _, ok := s.Table(p.Tables[i].Name); ok {
			return nil
		}
	}
	if len(p.Tables) == 0 {
		return nil
	}
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("the schema has none of the tables of the profile, as %q", p.Tables[0].Name),
		Hint: "Look whether this is the right database and the right profile, and whether the schema has been made.",
	}
}

// differences says, a sentence each, what the schema has that the profile does
// not know, and what it lacks.
func differences(p *profile.Data, s *schema.Schema, kept map[string]synth.Kept) []string {
	if p.Source.Schema == s.Fingerprint() {
		return nil
	}
	var out []string
	for _, t := range s.Tables {
		if t.PartitionOf != nil {
			continue
		}
		in, ok := p.Table(t.QName())
		if k, stays := kept[t.QName()]; stays {
			out = append(out, fmt.Sprintf("Table %s is not in the profile: it stays as it is, with %d rows.", t.QName(), k.Rows))
			continue
		}
		if !ok {
			out = append(out, fmt.Sprintf("Table %s is not in the profile.", t.QName()))
			continue
		}
		for _, c := range t.Columns {
			was, ok := in.Column(c.Name)
			switch {
			case c.Generated != "":
			case !ok:
				out = append(out, fmt.Sprintf("Column %s.%s is not in the profile.", t.QName(), c.Name))
			case was.Type != c.Type.SQL:
				out = append(out, fmt.Sprintf("Column %s.%s was %s when it was profiled and is %s.", t.QName(), c.Name, was.Type, c.Type.SQL))
			}
		}
		for _, c := range in.Columns {
			if is, _ := t.Column(c.Name); is == nil {
				out = append(out, fmt.Sprintf("Column %s.%s of the profile is not in the schema.", t.QName(), c.Name))
			}
		}
	}
	for i := range p.Tables {
		if _, ok := s.Table(p.Tables[i].Name); !ok {
			out = append(out, fmt.Sprintf("Table %s of the profile is not in the schema.", p.Tables[i].Name))
		}
	}
	return out
}

func meanings() []string {
	var out []string
	for _, m := range words.Meanings() {
		out = append(out, string(m))
	}
	return out
}

// fits reports whether values of a meaning can stand in a column of a type.
func fits(meaning string, t schema.Type) bool {
	switch t.Kind {
	case schema.Bool, schema.Enum, schema.Array, schema.Range, schema.Bits:
		return false
	case schema.Text:
		return true
	}
	switch words.Meaning(meaning) {
	case words.GivenName, words.FamilyName, words.FullName, words.Email, words.Phone, words.URL, words.Street, words.City, words.Company:
		return false
	}
	return true
}

// CompileFor makes the program of a dataset for a database. With a profile, the
// tables that it describes are filled, and the others stay as they are. Without one,
// all tables are: a load refuses a database that has rows.
//
// A load that was cut short is undone first: until then the schema lacks what that
// load had taken away.
func CompileFor(ctx context.Context, db Database, f *Files) (program *synth.Program, notes []string, err error) {
	if err := undo(ctx, db); err != nil {
		return nil, nil, err
	}
	if f.Profile == nil {
		return Compile(ctx, db.Schema(), f)
	}
	return compileAround(ctx, db, f)
}

func undo(ctx context.Context, db Database) error {
	if _, loading := db.Schema().Table(rows.Journal); loading {
		if _, err := db.Repair(ctx); err != nil {
			return fmt.Errorf("undo a load that was cut short: %w", err)
		}
		db.Renew()
		if _, err := db.Catalog(ctx); err != nil {
			return err
		}
	}
	return nil
}

// compileAround makes the program of a dataset around the tables that stay as they
// are.
func compileAround(ctx context.Context, db Database, f *Files) (program *synth.Program, notes []string, err error) {
	kept, err := keep(ctx, db, db.Schema(), f)
	if err != nil {
		return nil, nil, err
	}
	return compile(ctx, db.Schema(), f, kept)
}

// Fill makes a dataset for a database of ours, and loads it. Tables that the profile
// does not describe stay as the team's own seeds have left them; without a profile,
// those that have rows do.
func Fill(ctx context.Context, db Database, f *Files, o load.Options) (load.Report, error) {
	if err := undo(ctx, db); err != nil {
		return load.Report{}, err
	}
	program, notes, err := compileAround(ctx, db, f)
	if err != nil {
		return load.Report{Notes: notes}, err
	}
	done, err := db.Load(ctx, o, program)
	done.Notes = append(notes, done.Notes...)
	return done, err
}

// URL is the URL of a database that is reached by a function.
func URL(engine, user, password, database string) string {
	scheme := "postgres"
	query := "sslmode=disable"
	if engine != "postgres" {
		scheme, query = "mysql", ""
	}
	u := url.URL{Scheme: scheme, User: url.UserPassword(user, password), Host: net.JoinHostPort("127.0.0.1", port(scheme)), Path: "/" + database, RawQuery: query}
	return u.String()
}

func port(scheme string) string {
	if scheme == "mysql" {
		return "3306"
	}
	return "5432"
}

// apply takes a validated plan over into the generator's options.
func apply(plan *llm.Plan, o *synth.Options) {
	o.Locales = plan.Locales
	for _, t := range plan.Tables {
		for _, c := range t.Columns {
			o.Meanings[t.Name+"."+c.Name] = words.Meaning(c.Meaning)
		}
		for _, r := range t.References {
			o.References[t.Name] = append(o.References[t.Name], schema.ForeignKey{Columns: r.Columns, Table: r.Table, To: r.To, Inferred: true})
		}
		for _, r := range t.Rules {
			if r.Column == "" {
				o.Rules[t.Name] = append(o.Rules[t.Name], schema.Check{Name: "rule of the plan", Expr: r.Rule})
			}
		}
	}
}
