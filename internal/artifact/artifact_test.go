package artifact_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/artifact"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestDetect(t *testing.T) {
	text := schema.Type{Kind: schema.Text, Length: 12}
	number := schema.Type{Kind: schema.Int, Size: 8}
	decimal := schema.Type{Kind: schema.Decimal}
	instant := schema.Type{Kind: schema.Instant}
	date := schema.Type{Kind: schema.Date}
	document := schema.Type{Kind: schema.JSON}
	array := schema.Type{Kind: schema.Array}
	for _, c := range []struct {
		typ   schema.Type
		value string
		want  string
	}{
		{text, "Müller", ""},
		{text, "", "empty"},
		{text, "MÃ¼ller", "mojibake"},
		{text, "Sa\u0303o Paulo", "decomposed"},
		{text, "M\ufffdller", "replacement_character"},
		{text, "a\x01b", "control_character"},
		{text, "a\xffb", "replacement_character"},
		{text, "a\tb", ""},
		{text, "\ufeffid", "zero_width"},
		{text, "10\u00a0€", "no_break_space"},
		{text, " a ", "leading_space trailing_space"},
		{text, "a  b", "double_space"},
		{text, "n/a", "null_word"},
		{text, "-", "null_word"},
		{text, "ok 👍", "emoji"},
		{text, "שלום", "right_to_left"},
		{text, "a &amp; b", "html_entity"},
		{text, "AT&T; a", "html_entity"},
		{text, "a & b;", ""},
		{text, "&#39;", "html_entity"},
		{text, "twelve chars", "at_limit"},
		{text, "007", "leading_zero"},
		{text, "0", ""},
		{text, "O'Brien", "quoting"},
		{text, "a\r\nb", "line_break"},
		{schema.Type{Kind: schema.Text, Length: 4, Fixed: true}, "ab  ", ""},
		{number, "12", ""},
		{number, "-1", "negative sentinel"},
		{number, "2147483647", "sentinel near_overflow"},
		{number, "9223372036854775807", "near_overflow"},
		{number, "3000000000", ""},
		{decimal, "NaN", "nan"},
		{decimal, "-Infinity", "infinity"},
		{decimal, "-12.50", "negative"},
		{instant, "2026-01-02 03:04:05.678901+02", ""},
		{instant, "2026-01-02 00:00:00+00", "midnight"},
		{instant, "1970-01-01 00:00:00+00", "epoch"},
		{instant, "1970-01-01 02:00:00+02", "epoch"},
		{instant, "1969-12-31 19:30:00-04:30", "epoch"},
		{instant, "infinity", "infinity"},
		{instant, "2026-11-28 14:00:01+02", "future"},
		{instant, "2026-11-28 14:00:00+02", ""},
		{instant, "9999-12-31 23:59:59+00", "far_future"},
		{instant, "0001-01-01 00:00:00+00", "year_one"},
		{instant, "0044-03-15 12:00:00+00 BC", "before_1900"},
		{instant, "1899-12-31 23:59:59+00", "before_1900"},
		{instant, "0000-00-00 00:00:00", "zero_date"},
		{date, "2026-00-10", "zero_date"},
		{date, "1970-01-01", "epoch"},
		{date, "2020-02-29", ""},
		{date, "nonsense", ""},
		{document, `{"a": 1, "b": {"a": 2}}`, ""},
		{document, `{"a": 1, "a": 2}`, "duplicate_keys"},
		{document, `null`, "json_null"},
		{document, `"{\"a\": 1}"`, "stringified_json"},
		{document, `{"raw": "{\"a\": 1}"}`, "stringified_json"},
		{document, `{"raw": "{braces}"}`, ""},
		{array, `{1,NULL,2}`, "null_element"},
		{array, `{a,"NULL",NULLS}`, ""},
	} {
		if diff := cmp.Diff(c.want, strings.Join(artifact.Detect(c.typ, []byte(c.value), now).Names(), " ")); diff != "" {
			t.Errorf("Detect(%s, %q): %s", c.typ.Kind, c.value, diff)
		}
	}
}

// sample is a text as one meets it.
func sample(r *rand.Rand) string {
	list := []string{"", "a", "Müller", "New York", "12345", "Straße 12", "МОСКВА", "日本語", "a b c", "x@example.com", "Ωmega", "ı", "ß", "  ", "quite a long text with some more words in it"}
	return list[r.IntN(len(list))]
}

func TestTextHasTheArtifact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, a := range artifact.All() {
		if a.Kinds[0] != schema.Text {
			continue
		}
		done := 0
		for range 3000 {
			value, limit, x := sample(r), r.IntN(30), r.Uint64()
			got, ok := artifact.Text(a.Name, []byte("before"), []byte(value), limit, x)
			if !ok {
				if string(got) != "before" {
					t.Fatalf("%s of %q failed and left %q", a.Name, value, got)
				}
				continue
			}
			done++
			made := strings.TrimPrefix(string(got), "before")
			if n := utf8.RuneCountInString(made); limit > 0 && n > limit {
				t.Fatalf("%s of %q has %d characters of %d: %q", a.Name, value, n, limit, made)
			}
			if !utf8.ValidString(made) {
				t.Fatalf("%s of %q is no UTF-8: %q", a.Name, value, made)
			}
			typ := schema.Type{Kind: schema.Text, Length: limit}
			found := artifact.Detect(typ, []byte(made), now).Has(a.Name)
			switch a.Name {
			case artifact.CaseDuplicates:
				cut := string([]rune(value)[:min(len([]rune(value)), max(limit, 0))])
				if limit == 0 {
					cut = value
				}
				found = made != cut && strings.EqualFold(made, cut)
			case artifact.OverLong:
				found = utf8.RuneCountInString(made) > artifact.OverLongMultiple*utf8.RuneCountInString(value)
			}
			if !found {
				t.Fatalf("%s of %q in %d characters is %q, which does not have it", a.Name, value, limit, made)
			}
		}
		if done < 100 {
			t.Errorf("%s could be made %d times of 3000", a.Name, done)
		}
	}
}

// stamp writes a time as PostgreSQL does.
func stamp(micros int64) string {
	switch micros {
	case math.MaxInt64:
		return "infinity"
	case math.MinInt64:
		return "-infinity"
	}
	return time.UnixMicro(micros).UTC().Format("2006-01-02 15:04:05.999999+00")
}

func TestTimesAndNumbersHaveTheArtifact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	has := func(t *testing.T, typ schema.Type, value, name string) {
		t.Helper()
		if s := artifact.Detect(typ, []byte(value), now); !s.Has(name) {
			t.Fatalf("%s is %q, which has %v", name, value, s.Names())
		}
	}
	made := map[string]bool{}
	for _, a := range artifact.All() {
		for range 500 {
			x := r.Uint64()
			if at, ok := artifact.Time(a.Name, now.UnixMicro()-r.Int64N(1e16), now.UnixMicro(), x); ok {
				has(t, schema.Type{Kind: schema.Instant}, stamp(at), a.Name)
				made[a.Name] = true
			}
			today := now.Unix() / 86400
			if day, ok := artifact.Date(a.Name, today-r.Int64N(40000), today, x); ok {
				value := stamp(day)
				if day != math.MaxInt64 && day != math.MinInt64 {
					value = stamp(day * 86400e6)[:10]
				}
				has(t, schema.Type{Kind: schema.Date}, value, a.Name)
			}
			if v, ok := artifact.Number(a.Name, r.NormFloat64()*1000, x); ok {
				has(t, schema.Type{Kind: schema.Decimal}, strconv.FormatFloat(v, 'f', -1, 64), a.Name)
				made[a.Name] = true
			}
		}
	}
	for _, a := range artifact.All() {
		kind := a.Kinds[0]
		if want := (kind == schema.Date || kind == schema.Timestamp || kind == schema.Int || kind == schema.Float) && a.Name != artifact.ZeroDate; want != made[a.Name] {
			t.Errorf("%s of %v is made: %v, want %v", a.Name, a.Kinds, made[a.Name], want)
		}
	}
}

func TestDetectAllocatesNothing(t *testing.T) {
	for typ, value := range map[*schema.Type][]byte{
		{Kind: schema.Text, Length: 99}: []byte("Straße des 17. Juni"),
		{Kind: schema.Decimal}:          []byte("-1234.56"),
		{Kind: schema.Instant}:          []byte("2026-01-02 03:04:05.678901+02"),
		{Kind: schema.JSON}:             []byte(`{"a": "b", "c": [1, 2]}`),
		{Kind: schema.Array}:            []byte(`{1,2,3}`),
	} {
		if n := testing.AllocsPerRun(100, func() { artifact.Detect(*typ, value, now) }); n > 0 {
			t.Errorf("%s: %v allocations", typ.Kind, n)
		}
	}
}

func FuzzDetect(f *testing.F) {
	for i, s := range []string{"a  b", "2026-01-02 03:04:05+02:", "0000-00-00", `{"a":"\`, "{NULL", "{,NULL}", "-1e999", "\xff\xcc\x81", "e\u0301"} {
		f.Add(uint8(i), s)
	}
	kinds := []schema.Kind{schema.Text, schema.Instant, schema.Date, schema.JSON, schema.Array, schema.Decimal, schema.Int}
	f.Fuzz(func(t *testing.T, kind uint8, value string) {
		typ := schema.Type{Kind: kinds[int(kind)%len(kinds)], Length: len(value), Size: 8}
		for _, name := range artifact.Detect(typ, []byte(value), now).Names() {
			if name == "" {
				t.Fatal("an artifact without a name")
			}
		}
		for _, a := range artifact.All() {
			limit := len(value) % 20
			got, ok := artifact.Text(a.Name, nil, []byte(value), limit, uint64(kind))
			if ok && utf8.ValidString(value) && (!utf8.Valid(got) || limit > 0 && utf8.RuneCount(got) > limit) {
				t.Fatalf("%s of %q is %q", a.Name, value, got)
			}
		}
	})
}

func BenchmarkDetect(b *testing.B) {
	for _, v := range []string{"Straße des 17. Juni 135", "a plain text of some words that says nothing"} {
		b.Run(fmt.Sprint(len(v)), func(b *testing.B) {
			typ := schema.Type{Kind: schema.Text, Length: 255}
			for range b.N {
				artifact.Detect(typ, []byte(v), now)
			}
		})
	}
}
