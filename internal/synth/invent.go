package synth

import (
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// Invent is a profile that follows from a schema alone: what one would guess of a
// production that nobody has measured. rows is the size of an ordinary table.
func Invent(s *schema.Schema, rows int64) *profile.Data {
	d := &profile.Data{Source: profile.DataSource{Engine: string(s.Engine), Version: s.Version, Schema: s.Fingerprint(), Taken: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}
	for _, t := range s.Tables {
		if t.PartitionOf == nil {
			d.Tables = append(d.Tables, *invent(t, rows))
		}
	}
	return d
}

// invent guesses a table: a table that refers to others has more rows than one
// that stands alone.
func invent(t *schema.Table, rows int64) *profile.DataTable {
	out := &profile.DataTable{Name: t.QName(), Rows: rows}
	if len(t.ForeignKeys) == 0 {
		out.Rows = max(rows/5, 1)
	}
	for i := range t.Columns {
		if t.Columns[i].Generated == "" {
			out.Columns = append(out.Columns, inventColumn(t, &t.Columns[i]))
		}
	}
	return out
}

func inventColumn(t *schema.Table, c *schema.Column) profile.DataColumn {
	out := profile.DataColumn{Name: c.Name, Type: c.Type.SQL}
	if !c.NotNull {
		out.Null = 0.1
	}
	meaning := words.Guess(t.QName(), c.Name, c.Type, c.Comment)
	out.Meaning = string(meaning)
	switch c.Type.Kind {
	case schema.Bool:
		out.Values = []profile.DataValue{{Value: "t", Share: 0.5 * (1 - out.Null)}, {Value: "f", Share: 0.5 * (1 - out.Null)}}
	case schema.Enum:
		for _, l := range c.Type.Labels {
			out.Values = append(out.Values, profile.DataValue{Value: l, Share: (1 - out.Null) / float64(len(c.Type.Labels))})
		}
	case schema.Int, schema.Decimal, schema.Float:
		out.Numbers = inventNumbers(c.Type, meaning)
	case schema.Date, schema.Time, schema.Timestamp, schema.Instant:
		out.Times = inventTimes(c.Type.Kind)
	case schema.Text:
		out.Text = &profile.DataText{Length: []int{4, 8, 12, 20, 40}}
	}
	return out
}

func inventNumbers(t schema.Type, m words.Meaning) *profile.DataNumbers {
	n := &profile.DataNumbers{Quantiles: []float64{1, 3, 7, 12, 20, 40, 90, 250, 1000}, Scale: t.Scale}
	switch m {
	case words.Latitude:
		n.Quantiles = []float64{-60, -10, 30, 50, 70}
		n.Scale = max(n.Scale, 5)
	case words.Longitude:
		n.Quantiles = []float64{-180, -60, 0, 60, 180}
		n.Scale = max(n.Scale, 5)
	case words.Quantity:
		n.Quantiles = []float64{1, 1, 1, 2, 3, 5, 10}
	}
	if t.Kind == schema.Float && n.Scale == 0 {
		n.Scale = 3
	}
	return n
}

func inventTimes(k schema.Kind) *profile.DataTimes {
	const day = 24 * time.Hour
	if k == schema.Time {
		return &profile.DataTimes{Quantiles: []time.Duration{0, 8 * time.Hour, 12 * time.Hour, 17 * time.Hour, day - time.Second}, Unit: "second"}
	}
	return &profile.DataTimes{Quantiles: []time.Duration{-900 * day, -500 * day, -250 * day, -100 * day, -time.Hour}, Unit: "second"}
}
