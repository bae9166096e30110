package profile

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/document"
	"go.yaml.in/yaml/v3"
)

// ReadData reads a data profile from a file. See [ParseData].
func ReadData(path string) (*Data, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid,
			Msg:  "the data profile cannot be read",
			Hint: "Make one with \"rehearse data profile\", or correct the path.",
			Err:  err,
		}
	}
	return ParseData(path, b)
}

// ParseData checks and decodes a data profile; file is its name in errors. The
// error is a [rehearse.Problems] with all that is wrong.
func ParseData(file string, data []byte) (*Data, error) {
	p := &dataParser{Decoder: document.Decoder{File: file}}
	var out Data
	if root := p.Root(data, "profile"); root != nil {
		out = p.data(root)
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return &out, nil
}

// dataParser decodes a data profile.
type dataParser struct{ document.Decoder }

func (p *dataParser) data(root *yaml.Node) Data {
	var d Data
	given := p.Fields(root, "a data profile", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			if v, ok := p.Whole(n, "version"); ok && v != 1 {
				p.Complain(n, "Use a newer rehearse, or profile again.", "version %d of the format is unknown; this rehearse reads version 1", v)
			}
		},
		"description": p.textTo(&d.Description, "description"),
		"source":      func(n *yaml.Node) { d.Source = p.source(n) },
		"privacy": func(n *yaml.Node) {
			p.Fields(n, "privacy", map[string]func(*yaml.Node){
				"k":        p.intTo(&d.Privacy.K, "k"),
				"epsilon":  p.numberTo(&d.Privacy.Epsilon, "epsilon"),
				"listed":   p.intTo(&d.Privacy.Listed, "listed"),
				"withheld": p.intTo(&d.Privacy.Withheld, "withheld"),
			})
		},
		"tables": func(n *yaml.Node) {
			p.named(n, "tables", func(name string, n *yaml.Node) { d.Tables = append(d.Tables, p.table(name, n)) })
		},
		"statements": func(n *yaml.Node) {
			p.Items(n, "statements", func(n *yaml.Node) {
				var s DataStatement
				p.require(n, p.Fields(n, "a statement", map[string]func(*yaml.Node){
					"sql":   p.textTo(&s.SQL, "sql"),
					"calls": p.numberTo(&s.Calls, "calls"),
				}), "a statement", "sql")
				d.Statements = append(d.Statements, s)
			})
		},
	})
	p.require(root, given, "a data profile", "version", "source", "privacy")
	return d
}

func (p *dataParser) source(n *yaml.Node) DataSource {
	var s DataSource
	p.Fields(n, "source", map[string]func(*yaml.Node){
		"engine":  func(n *yaml.Node) { s.Engine = p.Word(n, "engine", []string{"postgres", "mysql"}) },
		"version": p.textTo(&s.Version, "version"),
		"schema":  p.textTo(&s.Schema, "schema"),
		"taken": func(n *yaml.Node) {
			t, err := time.Parse(time.RFC3339, n.Value)
			if err != nil {
				p.Complain(n, "Write it as in 2026-11-22T14:00:00Z.", "taken must be a time, not %s", document.Describe(n))
				return
			}
			s.Taken = t.UTC()
		},
		"sample":    p.wholeTo(&s.Sample, "sample"),
		"encoding":  p.textTo(&s.Encoding, "encoding"),
		"collation": p.textTo(&s.Collation, "collation"),
		"timezone":  p.textTo(&s.TimeZone, "timezone"),
	})
	return s
}

func (p *dataParser) table(name string, n *yaml.Node) DataTable {
	t := DataTable{Name: name}
	p.Fields(n, "a table", map[string]func(*yaml.Node){
		"rows":  p.wholeTo(&t.Rows, "rows"),
		"pages": p.wholeTo(&t.Pages, "pages"),
		"churn": func(n *yaml.Node) {
			p.Fields(n, "churn", map[string]func(*yaml.Node){
				"inserts": p.numberTo(&t.Churn.Inserts, "inserts"),
				"updates": p.numberTo(&t.Churn.Updates, "updates"),
				"deletes": p.numberTo(&t.Churn.Deletes, "deletes"),
				"dead":    p.numberTo(&t.Churn.Dead, "dead"),
				"growth":  p.numberTo(&t.Churn.Growth, "growth"),
			})
		},
		"indexes": func(n *yaml.Node) {
			p.named(n, "indexes", func(name string, n *yaml.Node) {
				x := DataIndex{Name: name}
				p.wholeTo(&x.Pages, "an index's pages")(n)
				t.Indexes = append(t.Indexes, x)
			})
		},
		"columns": func(n *yaml.Node) {
			p.named(n, "columns", func(name string, n *yaml.Node) { t.Columns = append(t.Columns, p.column(name, n)) })
		},
		"references": func(n *yaml.Node) {
			p.Items(n, "references", func(n *yaml.Node) { t.References = append(t.References, p.reference(n)) })
		},
		"classes": func(n *yaml.Node) { t.Classes = p.classes(n) },
		"depends": func(n *yaml.Node) {
			p.Items(n, "depends", func(n *yaml.Node) { t.Depends = append(t.Depends, p.dependence(n)) })
		},
		"orders": func(n *yaml.Node) {
			p.Items(n, "orders", func(n *yaml.Node) {
				var o DataOrder
				p.require(n, p.Fields(n, "an order", map[string]func(*yaml.Node){
					"low":   p.textTo(&o.Low, "low"),
					"high":  p.textTo(&o.High, "high"),
					"holds": p.shareTo(&o.Holds, "holds"),
					"gap":   p.numbersTo(&o.Gap, "gap"),
				}), "an order", "low", "high")
				t.Orders = append(t.Orders, o)
			})
		},
		"keys": func(n *yaml.Node) {
			p.Items(n, "keys", func(n *yaml.Node) {
				var k DataKey
				p.require(n, p.Fields(n, "a key", map[string]func(*yaml.Node){
					"columns":    p.textsTo(&k.Columns, "columns"),
					"duplicates": p.shareTo(&k.Duplicates, "duplicates"),
				}), "a key", "columns")
				t.Keys = append(t.Keys, k)
			})
		},
	})
	return t
}

func (p *dataParser) column(name string, n *yaml.Node) DataColumn {
	c := DataColumn{Name: name}
	p.Fields(n, "a column", map[string]func(*yaml.Node){
		"type":     p.textTo(&c.Type, "type"),
		"null":     p.shareTo(&c.Null, "null"),
		"distinct": p.wholeTo(&c.Distinct, "distinct"),
		"unique":   p.flagTo(&c.Unique, "unique"),
		"private":  p.textTo(&c.Private, "private"),
		"meaning":  p.textTo(&c.Meaning, "meaning"),
		"values":   p.valuesTo(&c.Values, "values"),
		"numbers":  func(n *yaml.Node) { c.Numbers = p.numbers(n) },
		"times":    func(n *yaml.Node) { c.Times = p.times(n) },
		"text":     func(n *yaml.Node) { c.Text = p.shape(n) },
		"json": func(n *yaml.Node) {
			var j DataJSON
			p.Fields(n, "json", p.json(&j))
			c.JSON = &j
		},
		"array": func(n *yaml.Node) {
			var a DataArray
			p.Fields(n, "array", map[string]func(*yaml.Node){
				"length": p.wholesTo(&a.Length, "length"),
				"item":   func(n *yaml.Node) { a.Item = p.column("", n) },
			})
			c.Array = &a
		},
		"artifacts":   p.sharesTo(&c.Artifacts, "artifacts"),
		"correlation": p.numberTo(&c.Correlation, "correlation"),
		"width":       p.intTo(&c.Width, "width"),
		"sequence":    p.signedTo(&c.Sequence, "sequence"),
	})
	return c
}

func (p *dataParser) numbers(n *yaml.Node) *DataNumbers {
	var v DataNumbers
	p.Fields(n, "numbers", map[string]func(*yaml.Node){
		"quantiles": p.numbersTo(&v.Quantiles, "quantiles"),
		"scale":     p.intTo(&v.Scale, "scale"),
		"step":      p.numberTo(&v.Step, "step"),
	})
	p.ascending(n, v.Quantiles)
	return &v
}

func (p *dataParser) times(n *yaml.Node) *DataTimes {
	var v DataTimes
	p.Fields(n, "times", map[string]func(*yaml.Node){
		"quantiles": func(n *yaml.Node) {
			p.Items(n, "quantiles", func(n *yaml.Node) {
				d, ok := parseSpan(n.Value)
				if n.Kind != yaml.ScalarNode || !ok {
					p.Complain(n, "Write it as in -90d4h or 12.5s.", "a quantile must be a duration, not %s", document.Describe(n))
				}
				v.Quantiles = append(v.Quantiles, d)
			})
		},
		"unit": func(n *yaml.Node) {
			v.Unit = p.Word(n, "unit", []string{"day", "hour", "minute", "second", "ms", "us"})
		},
		"week": func(n *yaml.Node) {
			p.numbersTo(&v.Week, "week")(n)
			if len(v.Week) != 168 {
				p.Complain(n, "", "week must have 168 shares, one an hour, not %d", len(v.Week))
			}
		},
	})
	p.ascending(n, v.Quantiles)
	return &v
}

func (p *dataParser) shape(n *yaml.Node) *DataText {
	var v DataText
	p.Fields(n, "text", map[string]func(*yaml.Node){
		"length":  p.wholesTo(&v.Length, "length"),
		"formats": p.sharesTo(&v.Formats, "formats"),
		"shapes":  p.valuesTo(&v.Shapes, "shapes"),
		"scripts": p.sharesTo(&v.Scripts, "scripts"),
		"words":   p.wholesTo(&v.Words, "words"),
	})
	return &v
}

// json are the keys of the structure of a document.
func (p *dataParser) json(j *DataJSON) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		"kinds": p.sharesTo(&j.Kinds, "kinds"),
		"keys": func(n *yaml.Node) {
			p.named(n, "keys", func(name string, n *yaml.Node) {
				k := DataJSONKey{Name: name}
				known := p.json(&k.Value)
				known["share"] = p.shareTo(&k.Share, "share")
				p.Fields(n, "a key", known)
				j.Keys = append(j.Keys, k)
			})
		},
		"open": p.flagTo(&j.Open, "open"),
		"items": func(n *yaml.Node) {
			j.Items = new(DataJSON)
			p.Fields(n, "items", p.json(j.Items))
		},
		"length":  p.wholesTo(&j.Length, "length"),
		"values":  p.valuesTo(&j.Values, "values"),
		"numbers": func(n *yaml.Node) { j.Numbers = p.numbers(n) },
		"text":    func(n *yaml.Node) { j.Text = p.shape(n) },
	}
}

func (p *dataParser) reference(n *yaml.Node) DataReference {
	var r DataReference
	given := p.Fields(n, "a reference", map[string]func(*yaml.Node){
		"columns":  p.textsTo(&r.Columns, "columns"),
		"table":    p.textTo(&r.Table, "table"),
		"to":       p.textsTo(&r.To, "to"),
		"inferred": p.flagTo(&r.Inferred, "inferred"),
		"orphans":  p.shareTo(&r.Orphans, "orphans"),
		"children": func(n *yaml.Node) {
			p.named(n, "children", func(name string, n *yaml.Node) { r.Children = append(r.Children, p.count(name, n)) })
		},
		"affinity": p.givenTo(&r.Affinity, "affinity"),
	})
	p.require(n, given, "a reference", "columns", "table", "to")
	if len(r.Columns) != len(r.To) {
		p.Complain(n, "", "a reference must have as many columns as it leads to, not %d and %d", len(r.Columns), len(r.To))
	}
	return r
}

// count is "3: share", or "4-6: [share, mean]".
func (p *dataParser) count(name string, n *yaml.Node) DataCount {
	var c DataCount
	from, to, span := strings.Cut(name, "-")
	var err error
	if c.From, err = strconv.ParseInt(from, 10, 64); err == nil {
		c.To = c.From
		if span {
			c.To, err = strconv.ParseInt(to, 10, 64)
		}
	}
	if err != nil || c.From < 0 || c.To < c.From {
		p.Complain(n, "Write it as in \"3: 0.1\" or \"4-6: [0.1, 4.8]\".", "a number of children must be a number or two, not %q", name)
	}
	if !span {
		c.Mean = float64(c.From)
		p.shareTo(&c.Share, "a share of parents")(n)
		return c
	}
	var pair []float64
	p.numbersTo(&pair, "a number of children")(n)
	if len(pair) != 2 {
		p.Complain(n, "Write it as in \"4-6: [0.1, 4.8]\".", "several numbers of children need a share and a mean")
		return c
	}
	c.Share, c.Mean = pair[0], pair[1]
	return c
}

func (p *dataParser) dependence(n *yaml.Node) DataDependence {
	var v DataDependence
	given := p.Fields(n, "a dependence", map[string]func(*yaml.Node){
		"column":   p.textTo(&v.Column, "column"),
		"on":       p.textTo(&v.On, "on"),
		"strength": p.numberTo(&v.Strength, "strength"),
		"given":    p.givenTo(&v.Given, "given"),
	})
	p.require(n, given, "a dependence", "column", "on")
	return v
}

func (p *dataParser) givenTo(to *[]DataGiven, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		p.named(n, what, func(name string, n *yaml.Node) {
			g := DataGiven{Bucket: name}
			p.Fields(n, "a bucket", map[string]func(*yaml.Node){
				"share": p.shareTo(&g.Share, "share"),
				"then":  p.sharesTo(&g.Then, "then"),
			})
			*to = append(*to, g)
		})
	}
}

func (p *dataParser) classes(n *yaml.Node) *DataClasses {
	c := &DataClasses{}
	given := p.Fields(n, "classes", map[string]func(*yaml.Node){
		"of":    p.textsTo(&c.Columns, "of"),
		"usual": p.bucketsTo(&c.Usual, "usual"),
		"list": func(n *yaml.Node) {
			p.Items(n, "list", func(n *yaml.Node) {
				var k DataClass
				p.require(n, p.Fields(n, "a class", map[string]func(*yaml.Node){
					"share": p.shareTo(&k.Share, "share"),
					"is":    p.bucketsTo(&k.Is, "is"),
					"open":  p.textsTo(&k.Open, "open"),
				}), "a class", "share")
				c.List = append(c.List, k)
			})
		},
	})
	p.require(n, given, "classes", "of", "usual", "list")
	return c
}

func (p *dataParser) bucketsTo(to *[]DataBucket, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		p.named(n, what, func(name string, n *yaml.Node) {
			b := DataBucket{Column: name}
			p.textTo(&b.Bucket, "a bucket")(n)
			*to = append(*to, b)
		})
	}
}

// named calls do for each key of a mapping whose keys are names.
func (p *dataParser) named(n *yaml.Node, what string, do func(string, *yaml.Node)) {
	p.Pairs(n, what, func(key, value *yaml.Node) { do(document.Resolve(key).Value, value) })
}

// require complains of keys that are missing.
func (p *dataParser) require(n *yaml.Node, given map[string]bool, what string, keys ...string) {
	if document.Resolve(n).Kind != yaml.MappingNode {
		return // said already
	}
	for _, k := range keys {
		if !given[k] {
			p.Complain(n, "", "%s has no %s", what, k)
		}
	}
}

func (p *dataParser) textTo(to *string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) { *to = p.Text(n, what) }
}

func (p *dataParser) textsTo(to *[]string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		p.Items(n, what, func(n *yaml.Node) { *to = append(*to, p.Text(n, what)) })
	}
}

func (p *dataParser) flagTo(to *bool, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(to) != nil {
			p.Complain(n, "", "%s must be true or false, not %s", what, document.Describe(n))
		}
	}
}

func (p *dataParser) numberTo(to *float64, what string) func(*yaml.Node) {
	return func(n *yaml.Node) { *to, _ = p.Number(n, what) }
}

func (p *dataParser) numbersTo(to *[]float64, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		p.Items(n, what, func(n *yaml.Node) {
			v, _ := p.Number(n, "a number of "+what)
			*to = append(*to, v)
		})
	}
}

func (p *dataParser) shareTo(to *float64, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		v, ok := p.Number(n, what)
		if ok && (v < 0 || v > 1) {
			p.Complain(n, "", "%s must be a share from 0 to 1, not %s", what, n.Value)
		}
		*to = v
	}
}

func (p *dataParser) intTo(to *int, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		v, ok := p.Whole(n, what)
		if ok && v < 0 {
			p.Complain(n, "", "%s must not be negative, as %d is", what, v)
		}
		*to = v
	}
}

func (p *dataParser) wholeTo(to *int64, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var v int
		p.intTo(&v, what)(n)
		*to = int64(v)
	}
}

func (p *dataParser) signedTo(to *int64, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		v, _ := p.Whole(n, what)
		*to = int64(v)
	}
}

func (p *dataParser) wholesTo(to *[]int, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		p.Items(n, what, func(n *yaml.Node) {
			var v int
			p.intTo(&v, "a number of "+what)(n)
			*to = append(*to, v)
		})
		p.ascending(n, *to)
	}
}

func (p *dataParser) sharesTo(to *[]DataShare, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		p.named(n, what, func(name string, n *yaml.Node) {
			s := DataShare{Name: name}
			p.shareTo(&s.Share, "a share of "+what)(n)
			*to = append(*to, s)
		})
	}
}

func (p *dataParser) valuesTo(to *[]DataValue, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		p.named(n, what, func(value string, n *yaml.Node) {
			v := DataValue{Value: value}
			p.shareTo(&v.Share, "a share of "+what)(n)
			*to = append(*to, v)
		})
	}
}

// ascending complains of quantiles that go down.
func (p *dataParser) ascending(n *yaml.Node, quantiles any) {
	down := false
	switch q := quantiles.(type) {
	case []float64:
		down = descends(q)
	case []int:
		down = descends(q)
	case []time.Duration:
		down = descends(q)
	}
	if down {
		p.Complain(n, "", "quantiles must not go down")
	}
}

func descends[T int | float64 | time.Duration](q []T) bool {
	for i := 1; i < len(q); i++ {
		if q[i] < q[i-1] {
			return true
		}
	}
	return false
}

var span = regexp.MustCompile(`^(-?)(?:(\d{1,6})d)?(?:(\d{1,7})h)?(?:(\d{1,9})m)?(?:(\d{1,11})(?:\.(\d{1,9}))?s)?$`)

// parseSpan reads what formatSpan writes.
func parseSpan(s string) (time.Duration, bool) {
	m := span.FindStringSubmatch(s)
	if m == nil || s == "" || s == "-" {
		return 0, false
	}
	var total float64
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+2] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+2], 10, 64)
		if err != nil {
			return 0, false
		}
		total += float64(n) * float64(unit)
		d += time.Duration(n) * unit
	}
	if m[6] != "" {
		n, err := strconv.ParseInt((m[6] + "000000000")[:9], 10, 64)
		if err != nil {
			return 0, false
		}
		d += time.Duration(n)
	}
	if total > 9.2e18 { // 292 years
		return 0, false
	}
	if m[1] == "-" {
		d = -d
	}
	return d, true
}
