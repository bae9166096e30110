package dataset_test

import (
	"context"
	"flag"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/synth"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

var (
	gigabytes = flag.Float64("gb", 0.5, "how large the database of BenchmarkProfile is")
	millions  = flag.Int64("millions", 10, "how many million rows BenchmarkStream makes")
)

// What a row takes on the disk, of two tables of which one refers to the other.
const (
	benchSchema = `
		CREATE TABLE account (id bigserial PRIMARY KEY, email text UNIQUE NOT NULL, country char(2), plan text, made timestamptz NOT NULL);
		CREATE TABLE event (id bigserial PRIMARY KEY, account bigint NOT NULL REFERENCES account, kind text NOT NULL, total numeric(12,2),
			at timestamptz NOT NULL, ok boolean NOT NULL, score double precision, token uuid NOT NULL, doc jsonb);
		CREATE INDEX event_account ON event (account)`
	bytesPerRow = 230
)

// BenchmarkProfile profiles a large database: from statistics, and a bounded
// sample of each table.
func BenchmarkProfile(b *testing.B) {
	url := testdb.Postgres(b)
	testdb.SQL(b, url, benchSchema)
	db, err := dataset.Open(b.Context(), url, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	start := time.Now()
	made, err := dataset.Fill(b.Context(), db, &dataset.Files{Spec: dataset.Spec{Seed: 1, Rows: int64(*gigabytes * 1e9 / bytesPerRow)}}, load.Options{})
	if err != nil {
		b.Fatal(err)
	}
	filled := time.Since(start)
	var size int64
	if err := db.Sample(b.Context(), measure.Query{Table: "account", Columns: []string{"id"}, Limit: 1}, func(measure.Row) error { return nil }); err != nil {
		b.Fatal(err)
	}
	stats, err := db.Statistics(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range stats {
		size += s.Bytes
		for _, x := range s.Indexes {
			size += 8192 * x.Pages
		}
	}
	for b.Loop() {
		db.Renew()
		if _, err := measure.Profile(b.Context(), db, measure.Options{AllowWrite: true}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/1e9, "GB")
	b.ReportMetric(float64(made.Rows)/filled.Seconds(), "rows/s-filled")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/profile")
}

// BenchmarkStream makes and encodes the rows of a table of a hundred million rows,
// or as many of them as -millions says, and reports the most memory that this
// process has had.
func BenchmarkStream(b *testing.B) {
	url := testdb.Postgres(b)
	testdb.SQL(b, url, benchSchema)
	db, err := dataset.Open(b.Context(), url, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for b.Loop() {
		p, err := synth.Compile(b.Context(), db.Schema(), synth.Options{Seed: 1, Rows: *millions * 1_000_000})
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range p.Tables() {
			if _, err := load.Encode(context.Background(), t, io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(*millions)*1.2e6*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(highWater(b), "MB-most")
}

// highWater is the most resident memory that the process has had, in MB.
func highWater(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return n / 1000
		}
	}
	b.Fatal("the kernel does not tell how much memory there was")
	return 0
}
