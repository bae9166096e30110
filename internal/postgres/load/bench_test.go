package load_test

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

const benchRows = 1_000_000

// BenchmarkEncode is the generator and the encoder alone.
func BenchmarkEncode(b *testing.B) {
	t := ten(100_000)
	var n int64
	for b.Loop() {
		var err error
		if n, err = load.Encode(b.Context(), t, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(n)
	b.ReportMetric(float64(t.n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// part is rows from to from+n of a table, as a table.
type part struct {
	*table
	from, n int64
}

func (p part) Rows() int64 { return p.n }
func (p part) Fill(b *rows.Batch, from int64, n int) error {
	return p.table.Fill(b, p.from+from, n)
}

// BenchmarkLoadTen loads the table of ten columns from end to end, ANALYZE
// included, next to what else can load the same rows in the same minute: the
// server reading ready files, as many as the peers have connections, from its own
// disk and from a client; and pgx's CopyFrom. We load a table over one connection
// always. All peers run ANALYZE too. Ratios
// are of rows per second; above 1 we are faster.
func BenchmarkLoadTen(b *testing.B) {
	url := testdb.Postgres(b)
	c := open(b, url)
	all := ten(benchRows)
	for _, connections := range []int{1, 2} {
		b.Run(fmt.Sprintf("peers=%d", connections), func(b *testing.B) {
			var files []string
			for i := range connections {
				per := int64(benchRows / connections)
				files = append(files, writeFile(b, part{all, int64(i) * per, per}))
			}
			copies := func(one func(c *pgx.Conn, i int) error) func() {
				return func() {
					var wg sync.WaitGroup
					for i := range connections {
						wg.Go(func() {
							c, err := pgx.Connect(b.Context(), url)
							if err == nil {
								defer c.Close(context.Background())
								err = one(c, i)
							}
							if err != nil {
								b.Error(err)
							}
						})
					}
					wg.Wait()
					mustExec(b, c, "ANALYZE ten")
				}
			}
			var copied []time.Duration
			times := alternate(b, c, []func(){
				func() {
					report, err := load.Load(b.Context(), load.Options{Connect: connector(b, url)}, dataset{tables: []rows.Table{all}})
					if err != nil {
						b.Fatal(err)
					}
					for _, p := range report.Phases {
						if p.Phase == load.PhaseLoad {
							copied = append(copied, p.Took)
						}
					}
				},
				copies(func(c *pgx.Conn, i int) error {
					_, err := c.Exec(b.Context(), "COPY ten FROM '"+files[i]+"' (FORMAT binary)")
					return err
				}),
				copies(func(c *pgx.Conn, i int) error {
					f, err := os.Open(files[i])
					if err != nil {
						return err
					}
					defer f.Close()
					_, err = c.PgConn().CopyFrom(b.Context(), f, "COPY ten FROM STDIN (FORMAT binary)")
					return err
				}),
				copies(func(c *pgx.Conn, i int) error {
					per := int64(benchRows / connections)
					_, err := c.CopyFrom(b.Context(), pgx.Identifier{"ten"}, names(all), &source{table: part{all, int64(i) * per, per}})
					return err
				}),
			})
			b.ReportMetric(benchRows/times[0].Seconds(), "rows/s")
			b.ReportMetric(benchRows/median(copied).Seconds(), "copied-rows/s")
			b.ReportMetric(times[1].Seconds()/times[0].Seconds(), "x-server-file")
			b.ReportMetric(times[2].Seconds()/times[0].Seconds(), "x-client-file")
			b.ReportMetric(times[3].Seconds()/times[0].Seconds(), "x-pgx")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// alternate runs every way to load b.N times, in turns, each into a new table,
// and gives the median time of each.
func alternate(b *testing.B, c *pgx.Conn, ways []func()) []time.Duration {
	took := make([][]time.Duration, len(ways))
	for range b.N {
		for i, way := range ways {
			mustExec(b, c, "DROP TABLE IF EXISTS ten; "+tenSQL)
			mustExec(b, c, "CHECKPOINT")
			start := time.Now()
			way()
			took[i] = append(took[i], time.Since(start))
			if got := query[int64](b, c, "SELECT count(*) FROM ten")[0]; got != benchRows {
				b.Fatalf("%d rows", got)
			}
		}
	}
	out := make([]time.Duration, len(ways))
	for i := range took {
		out[i] = median(took[i])
	}
	return out
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func mustExec(b *testing.B, c *pgx.Conn, sql string) {
	b.Helper()
	if _, err := c.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
}

// writeFile writes a COPY file where the server can read it.
func writeFile(b *testing.B, t rows.Table) string {
	b.Helper()
	f, err := os.CreateTemp(filepath.Dir(testdb.PostgresDir()), "copy")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.Remove(f.Name()) })
	if _, err := load.Encode(b.Context(), t, f); err != nil {
		b.Fatal(err)
	}
	if err := f.Chmod(0o644); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return f.Name()
}

func names(t rows.Table) []string {
	var out []string
	for _, c := range t.Columns() {
		out = append(out, c.Name)
	}
	return out
}

// source gives the rows of the table of ten columns to pgx, the way one does.
type source struct {
	table  part
	batch  rows.Batch
	at     int
	next   int64
	values [10]any
}

func (s *source) Next() bool {
	if s.at++; s.at < s.batch.N {
		return true
	}
	n := min(1024, s.table.n-s.next)
	if n == 0 {
		return false
	}
	s.at = 0
	if err := s.table.Fill(&s.batch, s.next, int(n)); err != nil {
		panic(err)
	}
	s.next += n
	return true
}
func (s *source) Err() error { return nil }
func (s *source) Values() ([]any, error) {
	c, i := s.batch.Columns, s.at
	s.values = [10]any{c[0].Ints[i], c[1].Ints[i], string(c[2].Text(i)), string(c[3].Text(i)),
		pgtype.Numeric{Int: big.NewInt(c[4].Ints[i]), Exp: -2, Valid: true}, time.UnixMicro(c[5].Ints[i]), c[6].Ints[i] == 1, c[7].Floats[i],
		[16]byte(c[8].Text(i)), c[9].Text(i)}
	return s.values[:], nil
}

// BenchmarkLoadPgbench fills the tables of pgbench, keys included, next to
// pgbench -i, which loads by COPY with FREEZE over one connection.
func BenchmarkLoadPgbench(b *testing.B) {
	pgbench, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			b.Skip("pgbench is not on this host: run scripts/ci-setup.sh")
		}
		pgbench = found[len(found)-1]
	}
	const scale = 10
	url := testdb.Postgres(b)
	c := open(b, url)
	for _, connections := range []int{1, 2} {
		b.Run(fmt.Sprintf("peers=%d", connections), func(b *testing.B) {
			var ours, theirs []time.Duration
			for range b.N {
				mustExec(b, c, "CHECKPOINT")
				start := time.Now()
				if out, err := exec.CommandContext(b.Context(), pgbench, "-i", "-q", "-s", fmt.Sprint(scale), "--foreign-keys", url).CombinedOutput(); err != nil {
					b.Fatalf("pgbench: %v\n%s", err, out)
				}
				theirs = append(theirs, time.Since(start))
				mustExec(b, c, "CHECKPOINT")
				start = time.Now()
				mustExec(b, c, pgbenchSQL)
				if _, err := load.Load(b.Context(), load.Options{Connect: connector(b, url)}, pgbenchRows(scale)); err != nil {
					b.Fatal(err)
				}
				ours = append(ours, time.Since(start))
			}
			b.ReportMetric(scale*100_000/median(ours).Seconds(), "rows/s")
			b.ReportMetric(median(theirs).Seconds()/median(ours).Seconds(), "x-pgbench")
			b.ReportMetric(0, "ns/op")
		})
	}
}

const pgbenchSQL = `DROP TABLE pgbench_history, pgbench_tellers, pgbench_accounts, pgbench_branches;
	CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88)) WITH (fillfactor = 100);
	CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int REFERENCES pgbench_branches, tbalance int, filler char(84)) WITH (fillfactor = 100);
	CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int REFERENCES pgbench_branches, abalance int, filler char(84)) WITH (fillfactor = 100);
	CREATE TABLE pgbench_history (tid int REFERENCES pgbench_tellers, bid int REFERENCES pgbench_branches, aid int REFERENCES pgbench_accounts, delta int, mtime timestamp, filler char(22))`

func pgbenchRows(scale int64) dataset {
	make := func(name, id, balance string, per int64) *table {
		t := &table{schema: schema.Table{Name: name}, n: scale * per}
		t.columns = []rows.Column{col(id, "int4"), col("bid", "int4"), col(balance, "int4"), col("filler", "bpchar")}
		t.put = func(b *rows.Batch, at int, i int64) {
			b.Columns[0].Ints[at] = i + 1
			b.Columns[1].Ints[at] = i/per + 1
			b.Columns[2].Ints[at] = 0
			b.Columns[3].End()
		}
		return t
	}
	branches := make("pgbench_branches", "bid", "bbalance", 1)
	branches.columns = []rows.Column{col("bid", "int4"), col("bbalance", "int4")}
	branches.put = func(b *rows.Batch, at int, i int64) {
		b.Columns[0].Ints[at] = i + 1
		b.Columns[1].Ints[at] = 0
	}
	return dataset{tables: []rows.Table{branches, make("pgbench_tellers", "tid", "tbalance", 10), make("pgbench_accounts", "aid", "abalance", 100_000)}}
}
