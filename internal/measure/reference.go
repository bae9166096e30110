package measure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Bounds of inferred references.
const (
	maxOrphans  = 0.05
	leastProven = 5 // rows that must lead somewhere
)

// referencesOf are the references of each table to one of the tables: declared
// ones, and where a column has none, those that its name suggests.
func referencesOf(s *schema.Schema, tables []*schema.Table) map[string][]schema.ForeignKey {
	read := map[string]bool{}
	for _, t := range tables {
		read[t.QName()] = true
	}
	out := map[string][]schema.ForeignKey{}
	for _, t := range tables {
		var list []schema.ForeignKey
		declared := map[string]bool{}
		for _, fk := range t.ForeignKeys {
			for _, c := range fk.Columns {
				declared[c] = true
			}
			if read[fk.Table] {
				list = append(list, fk)
			}
		}
		for i := range t.Columns {
			if c := &t.Columns[i]; !declared[c.Name] {
				list = append(list, suggested(t, c, tables)...)
			}
		}
		out[t.QName()] = list
	}
	return out
}

// childrenOf are the references that lead to a table.
func childrenOf(tables []*schema.Table, references map[string][]schema.ForeignKey, name string) []ChildCount {
	var out []ChildCount
	for _, t := range tables {
		for _, fk := range references[t.QName()] {
			if fk.Table == name {
				out = append(out, ChildCount{Table: t.QName(), Reference: fk})
			}
		}
	}
	return out
}

// suggested are the references that a column's name suggests, the likeliest
// first, two at most.
func suggested(t *schema.Table, c *schema.Column, tables []*schema.Table) []schema.ForeignKey {
	switch c.Type.Kind {
	case schema.Int, schema.UUID, schema.Text, schema.Bytes:
	default:
		return nil
	}
	if p, ok := t.Primary(); ok && len(p.Parts) == 1 && p.Parts[0].Column == c.Name {
		return nil
	}
	own := nameWords(c.Name)
	type found struct {
		fk    schema.ForeignKey
		score int
	}
	var all []found
	for _, to := range tables {
		for _, k := range to.Keys {
			if len(k.Parts) != 1 || k.Parts[0].Column == "" || k.Where != "" || !k.Primary && !k.Constraint {
				continue
			}
			target, _ := to.Column(k.Parts[0].Column)
			if target == nil || target.Type.Kind != c.Type.Kind || to == t && target.Name == c.Name {
				continue
			}
			score := likeness(own, nameWords(to.Name), nameWords(target.Name), c.Type.Kind)
			if score == 0 || !k.Primary && score < 3 {
				continue
			}
			all = append(all, found{schema.ForeignKey{Columns: []string{c.Name}, Table: to.QName(), To: []string{target.Name}, Inferred: true}, score})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	var out []schema.ForeignKey
	for _, f := range all {
		if f.score == all[0].score && len(out) < 2 {
			out = append(out, f.fk)
		}
	}
	return out
}

// likeness is how well the words of a column fit a key of a table, from 0, not
// at all, to 4: "user_id" and users.id, "ev_user" and user.user_id, "pageid" and
// page.page_id, "TicketId" and Tickets.id.
func likeness(column, table, key []string, kind schema.Kind) int {
	table = singular(table)
	joined := func(w []string) string { return strings.Join(w, "") }
	tail := func(w, of []string) bool { return len(w) <= len(of) && slices.Equal(of[len(of)-len(w):], w) }
	id := key[len(key)-1]
	isID := id == "id" || id == "uuid" || id == "guid"
	withID := append(slices.Clone(table), id)
	switch {
	case slices.Equal(column, withID), slices.Equal(column, key) && len(key) > 1:
		return 4
	case isID && joined(column) == joined(withID):
		return 3
	case isID && tail(withID, column):
		return 3
	case tail(key, column) && len(key) > 1:
		return 2
	case isID && kind != schema.Text && tail(table, column): // "pages" would be their number
		return 2
	case isID && len(table) > 1 && len(column) > 1 && column[len(column)-1] == id &&
		slices.Equal(singular(column[:len(column)-1]), table[len(table)-1:]):
		return 1 // "item_id" and shop_items.id
	}
	return 0
}

// sure reports whether a reference's name says that it is one: it names the key
// too, and not only the table.
func sure(t *schema.Table, fk schema.ForeignKey, s *schema.Schema) bool {
	to, ok := s.Table(fk.Table)
	c, _ := t.Column(fk.Columns[0])
	return ok && c != nil && likeness(nameWords(c.Name), nameWords(to.Name), nameWords(fk.To[0]), c.Type.Kind) > 2
}

// nameWords are the words of a name in lower case: user_id, UserId and userID
// are all "user", "id".
func nameWords(name string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	var before rune
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 127
		if !letter || r >= 'A' && r <= 'Z' && before >= 'a' && before <= 'z' {
			end()
		}
		if letter {
			word.WriteRune(r)
		}
		before = r
	}
	end()
	// "ticketid" without a capital: the id stands apart.
	if n := len(words); n > 0 && len(words[n-1]) > 4 && strings.HasSuffix(words[n-1], "id") && !strings.HasSuffix(words[n-1], "uid") {
		words = append(words[:n-1], strings.TrimSuffix(words[n-1], "id"), "id")
	}
	if len(words) == 0 {
		return []string{name}
	}
	return words
}

// singular takes the plural from the last word.
func singular(words []string) []string {
	out := slices.Clone(words)
	last := &out[len(out)-1]
	switch w := *last; {
	case strings.HasSuffix(w, "ies") && len(w) > 4:
		*last = w[:len(w)-3] + "y"
	case strings.HasSuffix(w, "sses"), strings.HasSuffix(w, "xes"), strings.HasSuffix(w, "ches"):
		*last = w[:len(w)-2]
	case strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && len(w) > 2:
		*last = w[:len(w)-1]
	}
	return out
}

// childrenName is the pseudo column of the number of children.
func childrenName(table string, columns []string) string {
	return "children(" + table + "." + strings.Join(columns, ",") + ")"
}

// containment counts where a reference leads.
type containment struct {
	set, orphans int64
	// none are orphans that only say that there is nothing: 0 and the empty text.
	none int64
	// targets are some of the values that lead somewhere.
	targets map[string]bool
}

// fewTargets is how many values must lead somewhere where others say "nothing":
// a flag of 0 and 1 is no reference to the row 1.
const fewTargets = 3

// found takes note of a value that leads somewhere.
func (c *containment) found(value []byte) {
	if len(c.targets) < fewTargets && !c.targets[string(value)] {
		if c.targets == nil {
			c.targets = map[string]bool{}
		}
		c.targets[string(value)] = true
	}
}

// holds reports whether an inferred reference is one, as far as rows tell.
func (c containment) holds() bool {
	set, orphans := c.set-c.none, c.orphans-c.none
	return set-orphans >= leastProven && (c.none == 0 || len(c.targets) >= fewTargets) && float64(orphans) <= maxOrphans*float64(set)
}

func (c containment) share(n *noise) float64 {
	if c.orphans == 0 {
		return 0
	}
	return n.share(c.orphans, c.set)
}

// childCounter is how many rows have how many children.
type childCounter struct {
	counts map[int64]int64 // by the number of children
	rows   int64
}

// maxChildCounts is how many different numbers are told apart; beyond, numbers
// count as the next lower of two digits.
const maxChildCounts = 20_000

type childBucket struct {
	from, to, rows int64
	sum            float64
}

func (c *childCounter) add(n int64) {
	if c.counts == nil {
		c.counts = map[int64]int64{}
	}
	if _, there := c.counts[n]; !there && len(c.counts) >= maxChildCounts {
		for unit := int64(1); ; unit *= 10 {
			if n/unit < 100 {
				n = n / unit * unit
				break
			}
		}
	}
	c.counts[n]++
	c.rows++
}

// buckets are the buckets in order: each number up to 10, and each that k rows
// have, is one of its own; the others are grouped, a quarter wide and wider where
// a group would have only a handful of rows. One that has all the same is told to
// one digit, so that none is known by its size.
func (c *childCounter) buckets(k int64) []*childBucket {
	numbers := slices.Sorted(maps.Keys(c.counts))
	few := max(k/4, 1)
	var out []*childBucket
	grows := false // the last bucket is a group
	for _, n := range numbers {
		rows := c.counts[n]
		alone := n <= 10 || rows >= k
		if last := len(out) - 1; !alone && grows && (out[last].rows < few || n <= out[last].from+out[last].from/4) {
			out[last].to, out[last].rows, out[last].sum = n, out[last].rows+rows, out[last].sum+float64(n*rows)
			continue
		}
		// A group that stayed small goes with what stands before it.
		if last := len(out) - 1; grows && out[last].rows < few && last > 0 && out[last-1].from > 10 {
			out[last-1].to, out[last-1].rows, out[last-1].sum = out[last].to, out[last-1].rows+out[last].rows, out[last-1].sum+out[last].sum
			out = out[:last]
		}
		out = append(out, &childBucket{from: n, to: n, rows: rows, sum: float64(n * rows)})
		grows = !alone
	}
	if last := len(out) - 1; grows && out[last].rows < few && last > 0 && out[last-1].from > 10 {
		out[last-1].to, out[last-1].rows, out[last-1].sum = out[last].to, out[last-1].rows+out[last].rows, out[last-1].sum+out[last].sum
		out = out[:last]
	}
	for i, b := range out {
		if b.rows < few && b.from > 10 {
			before := int64(10)
			if i > 0 {
				before = out[i-1].to
			}
			b.widen(before)
		}
	}
	return out
}

// widen makes a group that stands for a handful of rows begin and end at numbers
// of one digit, all above another: nobody is known by how many children they have.
func (b *childBucket) widen(above int64) {
	low, high := int64(1), int64(1)
	for b.from/low >= 10 {
		low *= 10
	}
	for b.to/high >= 10 {
		high *= 10
	}
	b.from, b.to = max(b.from/low*low, above+1), (b.to/high+1)*high-1
	b.sum = float64(b.from+b.to) / 2 * float64(b.rows)
}

func (c *childCounter) profile(k int64, n *noise) []profile.DataCount {
	var out []profile.DataCount
	for _, b := range c.buckets(k) {
		out = append(out, profile.DataCount{From: b.from, To: b.to, Share: n.share(b.rows, c.rows), Mean: rounded(b.sum/float64(b.rows), 4)})
	}
	return out
}

// label is the bucket's name in dependencies: as in the reference's children.
func (b *childBucket) label() string {
	if b.from == b.to {
		return fmt.Sprint(b.from)
	}
	return fmt.Sprintf("%d-%d", b.from, b.to)
}
