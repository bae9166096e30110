package synth_test

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/likeness"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/synth"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestFidelity(t *testing.T) {
	ctx := context.Background()
	original := testdb.Postgres(t)
	var copied string
	for _, f := range testdb.Schemas() {
		if f.Name == "zabbix" {
			f.Load(t, original)
			copied = testdb.Postgres(t)
			f.Files = f.Files[:1]
			f.Load(t, copied)
		}
	}
	testdb.SQL(t, original, "ANALYZE")
	src, err := postgres.Open(ctx, original)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := src.Catalog(ctx); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	p, err := measure.Profile(ctx, src, measure.Options{AllowWrite: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("profiled in %v", time.Since(start))
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/tmp/zabbix.data.yaml", buf.Bytes(), 0o644)
	if p, err = profile.ParseData("zabbix", buf.Bytes()); err != nil {
		t.Fatal(err)
	}
	fill(t, copied, catalog(t, copied), synth.Options{Seed: 1, Profile: p})
	gen, err := postgres.Open(ctx, copied)
	if err != nil {
		t.Fatal(err)
	}
	defer gen.Close()
	gen.Catalog(ctx)
	r, err := likeness.Compare(ctx, src, gen, likeness.Options{Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("score %.4f in %v", r.Score, time.Since(start))
	for _, p := range r.Properties {
		strong := 0.0
		if p.Strong != nil { strong = *p.Strong }
		t.Logf("%-24s %.4f strong %.4f  (%d)", p.Name, p.Score, strong, len(p.Items))
	}
	for _, pr := range r.Properties {
		if pr.HeldScore == nil { continue }
		t.Logf("HELD %-24s %.4f (%d)", pr.Name, *pr.HeldScore, pr.Held)
		by := map[string]float64{}
		for _, it := range pr.Items {
			if it.Beyond || !pr.Counts { continue }
			by[it.Table+" "+it.Reference] += (1-it.Score)/float64(pr.Held)
			if it.Score < 0.85 { t.Logf("     low %.3f %s %s", it.Score, it.Place(), it.What) }
		}
		for k, v := range by { if v > 0.002 { t.Logf("   %-20s loses %.4f", k, v) } }
	}
	for _, l := range r.Lost[:0] {
		t.Logf("%-20s %.3f cost %.5f %s: %s", l.Property, l.Score, l.Cost, l.Place, l.What)
	}
	for _, g := range r.Gates {
		t.Logf("gate %s %v %.4f %v", g.Name, g.Pass, g.Score, g.Broken)
	}
	t.Log("small", len(r.Small), "left out", len(r.LeftOut))
}
