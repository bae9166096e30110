package measure

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// Bounds of what is kept of documents.
const (
	maxDepth     = 6
	maxKeys      = 200  // of one object
	maxPlaces    = 1000 // of one column
	maxDocuments = 20_000
	maxSize      = 1 << 20 // bytes of a document that is looked into
)

// document gathers the structure at one place of JSON documents.
type document struct {
	name   string
	now    time.Time
	depth  int
	places *int
	// short: list no values, as one of the names on the way here looks private.
	short bool
	read  int // documents, at the root

	kinds  map[string]int64
	keys   map[string]*field
	open   bool // more keys than are kept
	items  *document
	length map[int]int64
	// Scalars, by kind; nil where there are none.
	texts, numbers, bools *column
}

// field is a key of objects.
type field struct {
	n, rows, lastRow int64
	value            *document
}

func newDocument(name string, now time.Time, depth int, places *int) *document {
	*places++
	return &document{name: name, now: now, depth: depth, places: places, short: words.Private(name) != "", kinds: map[string]int64{}, keys: map[string]*field{}, length: map[int]int64{}}
}

// addText takes a document that stands in so many rows.
func (d *document) addText(text string, n, row int64) {
	if d.read++; d.read > maxDocuments || len(text) > maxSize {
		return
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) == nil {
		d.add(v, n, row)
	}
}

func (d *document) add(v any, n, row int64) {
	switch v := v.(type) {
	case nil:
		d.kinds["null"] += n
	case bool:
		d.kinds["bool"] += n
		d.scalar(&d.bools, schema.Bool).addMany(strconv.AppendBool(nil, v), n, row)
	case string:
		d.kinds["string"] += n
		d.scalar(&d.texts, schema.Text).addMany([]byte(v), n, row)
	case json.Number:
		d.kinds["number"] += n
		d.scalar(&d.numbers, schema.Float).addMany([]byte(v), n, row)
	case []any:
		d.kinds["array"] += n
		d.length[coarse(len(v))] += n
		if d.depth >= maxDepth {
			return
		}
		if d.items == nil && *d.places < maxPlaces {
			d.items = newDocument(d.name, d.now, d.depth+1, d.places)
			d.items.short = d.short
		}
		for _, item := range v {
			if d.items != nil {
				d.items.add(item, n, row)
			}
		}
	case map[string]any:
		d.kinds["object"] += n
		if d.depth >= maxDepth {
			d.open = d.open || len(v) > 0
			return
		}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			d.field(name, v[name], n, row)
		}
	}
}

var keyShape = regexp.MustCompile(`^[A-Za-z_$@][A-Za-z0-9_.:$@-]{0,63}$`)

func (d *document) field(name string, v any, n, row int64) {
	f := d.keys[name]
	if f == nil {
		if len(d.keys) >= maxKeys || *d.places >= maxPlaces || !keyShape.MatchString(name) {
			d.open = true
			return
		}
		f = &field{lastRow: -1, value: newDocument(name, d.now, d.depth+1, d.places)}
		f.value.short = f.value.short || d.short
		d.keys[name] = f
	}
	f.n += n
	if f.lastRow != row {
		f.rows, f.lastRow = f.rows+n, row
	}
	f.value.add(v, n, row)
}

// scalar is a collector for scalars, made when the first comes.
func (d *document) scalar(c **column, kind schema.Kind) *column {
	if *c == nil {
		t := schema.Type{Kind: kind}
		*c = newColumn(d.name, t, d.now)
		(*c).meaning = words.Guess("", d.name, t, "")
		(*c).short = d.short
		if kind == schema.Bool {
			(*c).public = map[string]bool{"true": true, "false": true}
		}
	}
	return *c
}

func (d *document) profile(k int64, n *noise) *profile.DataJSON {
	var total int64
	for _, c := range d.kinds {
		total += c
	}
	if total == 0 {
		return &profile.DataJSON{}
	}
	out := &profile.DataJSON{Kinds: shares(d.kinds, total, n, 1), Open: d.open, Length: wholeQuantiles(d.length, k)}
	names := make([]string, 0, len(d.keys))
	for name := range d.keys {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := d.keys[name]
		count := n.count(f.rows)
		if f.rows < k || count < n.threshold(k) || private(name) != "" {
			out.Open = true
			continue
		}
		if f.n != f.rows {
			count = n.count(f.n)
		}
		key := profile.DataJSONKey{Name: name, Share: shareOf(count, d.kinds["object"])}
		key.Value = *f.value.profile(k, n)
		out.Keys = append(out.Keys, key)
	}
	if d.items != nil {
		out.Items = d.items.profile(k, n)
	}
	for _, c := range []*column{d.texts, d.numbers, d.bools} {
		if c == nil {
			continue
		}
		col, _ := c.finish(k, n)
		for _, v := range col.Values {
			out.Values = append(out.Values, profile.DataValue{Value: v.Value, Share: rounded(v.Share*float64(c.n)/float64(total), 4)})
		}
		if col.Numbers != nil {
			out.Numbers = col.Numbers
		}
		if col.Text != nil {
			out.Text = col.Text
		}
	}
	return out
}
