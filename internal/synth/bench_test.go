package synth_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/synth"
)

// tenColumns is the table of the benchmarks: two numbers, two texts, and one each
// of most that there is; a row is of some 160 bytes.
func tenColumns(n int64) (*schema.Schema, *profile.Data) {
	t := &schema.Table{Name: "events", Keys: []schema.Key{{Name: "events_pkey", Primary: true, Constraint: true, Parts: []schema.KeyPart{{Column: "id"}}}}}
	pt := profile.DataTable{Name: "events", Rows: n}
	add := func(name string, typ schema.Type, p profile.DataColumn) {
		t.Columns = append(t.Columns, schema.Column{Name: name, Type: typ, NotNull: true})
		p.Name, p.Type = name, typ.SQL
		pt.Columns = append(pt.Columns, p)
	}
	quantiles := func(low, high float64) *profile.DataNumbers {
		out := &profile.DataNumbers{}
		for i := range 41 {
			out.Quantiles = append(out.Quantiles, low+(high-low)*float64(i*i)/1600)
		}
		return out
	}
	money := quantiles(1, 5000)
	money.Scale = 2
	var at []time.Duration
	for i := range 41 {
		at = append(at, time.Duration(i-40)*20*24*time.Hour)
	}
	add("id", schema.Type{SQL: "bigint", Name: "int8", Kind: schema.Int, Size: 8}, profile.DataColumn{Unique: true, Correlation: 1})
	add("account", schema.Type{SQL: "bigint", Name: "int8", Kind: schema.Int, Size: 8}, profile.DataColumn{Numbers: quantiles(1, 1e6)})
	add("email", schema.Type{SQL: "text", Name: "text", Kind: schema.Text}, profile.DataColumn{Meaning: "email"})
	add("status", schema.Type{SQL: "text", Name: "text", Kind: schema.Text}, profile.DataColumn{
		Values: []profile.DataValue{{Value: "open", Share: 0.5}, {Value: "paid", Share: 0.3}, {Value: "shipped", Share: 0.15}, {Value: "returned", Share: 0.05}}})
	add("total", schema.Type{SQL: "numeric(12,2)", Name: "numeric", Kind: schema.Decimal, Precision: 12, Scale: 2}, profile.DataColumn{Numbers: money})
	add("at", schema.Type{SQL: "timestamp with time zone", Name: "timestamptz", Kind: schema.Instant, Fraction: -1}, profile.DataColumn{Times: &profile.DataTimes{Quantiles: at, Unit: "ms"}})
	add("active", schema.Type{SQL: "boolean", Name: "bool", Kind: schema.Bool}, profile.DataColumn{Values: []profile.DataValue{{Value: "t", Share: 0.9}, {Value: "f", Share: 0.1}}})
	add("score", schema.Type{SQL: "double precision", Name: "float8", Kind: schema.Float, Size: 8}, profile.DataColumn{Numbers: &profile.DataNumbers{Quantiles: []float64{0, 0.2, 0.5, 0.9, 1}, Scale: 9}})
	add("token", schema.Type{SQL: "uuid", Name: "uuid", Kind: schema.UUID}, profile.DataColumn{})
	add("doc", schema.Type{SQL: "jsonb", Name: "jsonb", Kind: schema.JSON}, profile.DataColumn{JSON: &profile.DataJSON{
		Kinds: []profile.DataShare{{Name: "object", Share: 1}},
		Keys: []profile.DataJSONKey{
			{Name: "plan", Share: 1, Value: profile.DataJSON{Kinds: []profile.DataShare{{Name: "string", Share: 1}}, Values: []profile.DataValue{{Value: "free", Share: 0.7}, {Value: "pro", Share: 0.3}}}},
			{Name: "seats", Share: 0.8, Value: profile.DataJSON{Kinds: []profile.DataShare{{Name: "number", Share: 1}}, Numbers: &profile.DataNumbers{Quantiles: []float64{1, 2, 5, 20}}}},
		}}})
	s := &schema.Schema{Engine: schema.Postgres, Tables: []*schema.Table{t}}
	return s, &profile.Data{Tables: []profile.DataTable{pt}}
}

// BenchmarkRows is the generator alone, on one processor.
func BenchmarkRows(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s, p := tenColumns(100_000_000)
	made, err := synth.Compile(b.Context(), s, synth.Options{Profile: p, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	t := made.Tables()[0]
	var batch rows.Batch
	const chunk = 1024
	done := int64(0)
	before := processor(b)
	for b.Loop() {
		if err := t.Fill(&batch, done%(t.Rows()-chunk), chunk); err != nil {
			b.Fatal(err)
		}
		done += chunk
	}
	b.ReportMetric(float64(done)/b.Elapsed().Seconds()/1e6, "Mrows/s")
	b.ReportMetric(float64(done)/(processor(b)-before).Seconds()/1e6, "Mrows/CPUs")
}

// processor is the processor time that this process has used: on a machine that
// is shared it says more than the clock.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
