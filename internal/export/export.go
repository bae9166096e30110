// Package export writes the rows of a data set to files: CSV, SQL or Parquet.
//
// [Write] writes one file per table into a directory; SQL has two more, for
// sequences and to run all in order. [TextOf] is the text form of a single value as
// the server reads it, for whoever writes rows elsewhere.
//
// Rows stream: memory is bounded by a batch for each table that is being written,
// and by a row group in Parquet. Tables are written at the same time, and yet the
// same data set gives the same bytes, however many at once. A directory gets all of
// its files or none: they have other names until the last one is complete.
//
// Caveats. Parquet has no form for infinite dates, for NaN in decimals and for
// decimals of more than 18 digits; the first two become NULL and are counted. MySQL
// reads SQL files with the backslash as its escape character, which is what it does
// by default.
package export

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Format is a kind of file.
type Format string

// The formats.
const (
	CSV     Format = "csv"     // RFC 4180 with a header; NULL is empty, an empty text is ""
	SQL     Format = "sql"     // statements in the dialect of the schema's engine
	Parquet Format = "parquet" // typed columns
)

// Options are how files are written. The zero value is fine.
type Options struct {
	// Overwrite lets the directory hold files already; those of the same name are
	// replaced, others stay.
	Overwrite bool
	// Copy makes SQL of COPY … FROM stdin instead of INSERT, for PostgreSQL.
	Copy bool
	// Snappy compresses Parquet with Snappy instead of Zstandard: larger, and read
	// by older tools.
	Snappy bool
	// Parallel is how many tables are written at once; 0: as many as there are
	// processors.
	Parallel int
	// Progress, where it is set, is told how many rows have been written so far,
	// from one goroutine at a time.
	Progress func(rows int64)
}

// Report is what was written.
type Report struct {
	Files []File // in the order of the data set's tables; SQL's own files at the end
	Rows  int64
	Bytes int64
	// Lost counts the values that the format has no form for, which became NULL.
	Lost int64
}

// File is one file.
type File struct {
	Table string // QName; empty for a file of no table
	Name  string // in the directory
	Rows  int64
	Bytes int64
}

// batchRows is how many rows are asked for at once. The bytes of Parquet depend on
// it.
const batchRows = 4096

// encoder turns batches into a file's bytes.
type encoder interface {
	begin() error
	batch(b *rows.Batch) error
	end() error
}

// Write writes all tables of a data set to files in a directory, which it makes. It
// fails where the directory holds something, unless o.Overwrite, and leaves nothing
// of its own behind when it fails or ctx is done.
func Write(ctx context.Context, dir string, format Format, ds rows.Dataset, o Options) (Report, error) {
	if err := usable(format, ds, o); err != nil {
		return Report{}, err
	}
	if err := ready(dir, o.Overwrite); err != nil {
		return Report{}, err
	}
	w := &writer{dir: dir, format: format, ds: ds, o: o, temporary: map[string]string{}}
	defer w.tidy()
	report, err := w.tables(ctx)
	if err == nil && format == SQL {
		err = w.companions(&report)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = w.publish(report.Files)
	}
	if err != nil {
		return Report{}, actionable(dir, err)
	}
	for _, f := range report.Files {
		report.Rows += f.Rows
		report.Bytes += f.Bytes
	}
	return report, nil
}

func usable(format Format, ds rows.Dataset, o Options) error {
	switch format {
	case CSV, SQL, Parquet:
	default:
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("there is no format %q to write data in", format), Hint: "Use csv, sql or parquet."}
	}
	if o.Copy && (format != SQL || ds.Schema().Engine != schema.Postgres) {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: "COPY is for SQL files of PostgreSQL", Hint: "Leave COPY out."}
	}
	return nil
}

// ErrNotEmpty is in the error of a directory that holds something.
var ErrNotEmpty = errors.New("is not empty")

// ready makes the directory, and sees whether it is empty.
func ready(dir string, overwrite bool) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return actionable(dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return actionable(dir, err)
	}
	if len(entries) > 0 && !overwrite {
		return &rehearse.Error{Kind: rehearse.Invalid, Err: fmt.Errorf("directory %s %w: it holds %s", dir, ErrNotEmpty, entries[0].Name()),
			Hint: "Name another directory, or allow files in it to be replaced."}
	}
	return nil
}

// actionable says what a person can do about an error of the file system.
func actionable(dir string, err error) error {
	err = fmt.Errorf("write data to %s: %w", dir, err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return &rehearse.Error{Kind: rehearse.Unavailable, Err: err, Hint: "Free space on the disk, write to another one, or make less data with a smaller scale."}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return &rehearse.Error{Kind: rehearse.Invalid, Err: err, Hint: "Name a directory that you may write to."}
	}
	return err
}

// writer is one call of Write.
type writer struct {
	dir    string
	format Format
	ds     rows.Dataset
	o      Options

	mu        sync.Mutex
	done      int64             // rows
	temporary map[string]string // by final name
}

// tidy removes what was not published.
func (w *writer) tidy() {
	for _, path := range w.temporary {
		_ = os.Remove(path)
	}
}

func (w *writer) publish(files []File) error {
	for _, f := range files {
		if err := os.Rename(w.temporary[f.Name], filepath.Join(w.dir, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// tables writes the files of all tables, some at once.
func (w *writer) tables(ctx context.Context) (Report, error) {
	tables := w.ds.Tables()
	names := fileNames(tables, string(w.format))
	report := Report{Files: make([]File, len(tables))}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(cmp.Or(w.o.Parallel, runtime.GOMAXPROCS(0)), len(tables)) {
		wg.Go(func() {
			for i := range next {
				lost, err := w.table(ctx, tables[i], names[i], &report.Files[i])
				if err != nil {
					cancel(fmt.Errorf("table %q: %w", tables[i].Schema().QName(), err))
				}
				w.mu.Lock()
				report.Lost += lost
				w.mu.Unlock()
			}
		})
	}
	for i := range tables {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return report, context.Cause(ctx)
}

// table writes one table's file.
func (w *writer) table(ctx context.Context, t rows.Table, name string, file *File) (lost int64, err error) {
	out, err := w.create(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.f.Close()) }()
	e, err := w.encoder(t, out)
	if err != nil {
		return 0, err
	}
	if err := e.begin(); err != nil {
		return 0, err
	}
	var b rows.Batch
	for from := int64(0); from < t.Rows(); from += batchRows {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n := min(batchRows, t.Rows()-from)
		if err := t.Fill(&b, from, int(n)); err != nil {
			return 0, fmt.Errorf("rows %d to %d: %w", from, from+n, err)
		}
		if err := e.batch(&b); err != nil {
			return 0, err
		}
		w.progress(n)
	}
	if err := e.end(); err != nil {
		return 0, err
	}
	if err := out.flush(); err != nil {
		return 0, err
	}
	*file = File{Table: t.Schema().QName(), Name: name, Rows: t.Rows(), Bytes: out.written}
	if p, ok := e.(*parquetEncoder); ok {
		lost = p.lost
	}
	return lost, nil
}

func (w *writer) encoder(t rows.Table, out *sink) (encoder, error) {
	switch {
	case w.format == CSV:
		return &csvEncoder{out: out, columns: t.Columns()}, nil
	case w.format == Parquet:
		return newParquet(out, t, w.o.Snappy)
	case w.o.Copy:
		return &copyEncoder{out: out, table: t}, nil
	}
	return &insertEncoder{out: out, table: t, mysql: w.ds.Schema().Engine == schema.MySQL}, nil
}

func (w *writer) progress(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done += n
	if w.o.Progress != nil {
		w.o.Progress(w.done)
	}
}

// create makes a file under a name that it has until all are complete.
func (w *writer) create(name string) (*sink, error) {
	f, err := os.CreateTemp(w.dir, "."+name+".*.partial")
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.temporary[name] = f.Name()
	w.mu.Unlock()
	if err := f.Chmod(0o644); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &sink{f: f}, nil
}

// companion writes a file that is of no table.
func (w *writer) companion(report *Report, name, content string) error {
	out, err := w.create(name)
	if err != nil {
		return err
	}
	out.buf = append(out.buf, content...)
	if err := errors.Join(out.flush(), out.f.Close()); err != nil {
		return err
	}
	report.Files = append(report.Files, File{Name: name, Bytes: out.written})
	return nil
}

// sink is a file and what is to be written to it.
type sink struct {
	f       *os.File
	buf     []byte
	written int64
}

// sinkSize is how much is written at once.
const sinkSize = 256 << 10

// spill writes what there is if it is much.
func (s *sink) spill() error {
	if len(s.buf) < sinkSize {
		return nil
	}
	return s.flush()
}

func (s *sink) flush() error {
	n, err := s.f.Write(s.buf)
	s.written += int64(n)
	s.buf = s.buf[:0]
	return err
}

// Write is for encoders that write by themselves.
func (s *sink) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), s.spill()
}

// fileNames are the names of tables' files: those of the tables as far as every
// file system takes them, and different whatever their case.
func fileNames(tables []rows.Table, extension string) []string {
	seen := map[string]int{"all": 1, "sequences": 1}
	var out []string
	for _, t := range tables {
		var b bytes.Buffer
		for i, r := range t.Schema().QName() {
			if r < ' ' || strings.ContainsRune(`/\:*?"<>|%`, r) || r == '.' && i == 0 {
				fmt.Fprintf(&b, "%%%02X", r)
			} else {
				b.WriteRune(r)
			}
		}
		name := b.String()
		key := strings.ToLower(name)
		if seen[key]++; seen[key] > 1 {
			name += fmt.Sprintf("~%d", seen[key])
		}
		out = append(out, name+"."+extension)
	}
	return out
}
