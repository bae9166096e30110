package words_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/words"
)

var everywhere = []string{"en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sv", "tr", "ru", "uk", "el", "ar", "he", "hi", "zh", "ja", "ko"}

// scramble gives other numbers for i.
func scramble(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 }

func TestUniqueValuesAreUnique(t *testing.T) {
	ranges := []struct{ from, n uint64 }{{0, 8000}, {1 << 24, 300}, {1<<32 - 150, 300}, {1<<40 - 300, 300}}
	for _, m := range words.Meanings() {
		for _, locales := range [][]string{{"de"}, everywhere} {
			k, ok := words.For(m, locales)
			if !ok {
				t.Fatalf("For(%q) has no maker", m)
			}
			seen := map[string]uint64{}
			var b []byte
			for _, r := range ranges {
				for n := r.from; n < r.from+r.n; n++ {
					b = k.AppendUnique(b[:0], n)
					if other, ok := seen[string(b)]; ok {
						t.Fatalf("%s in %v: %d and %d both give %q", m, locales, other, n, b)
					}
					seen[string(b)] = n
				}
			}
		}
	}
}

func TestValuesAreTextAndDeterministic(t *testing.T) {
	for _, m := range words.Meanings() {
		k, _ := words.For(m, everywhere)
		if k.Capacity() == 0 {
			t.Errorf("%s has no capacity", m)
		}
		for i := range 500 {
			got := k.Append(nil, scramble(i))
			if len(got) == 0 || !utf8.Valid(got) || bytes.ContainsAny(got, "\x00\n#") && m != words.Color || bytes.Contains(got, []byte("_")) && m == words.FullAddress {
				t.Fatalf("%s makes %q", m, got)
			}
			if again := k.Append(nil, scramble(i)); !bytes.Equal(got, again) {
				t.Fatalf("%s makes %q and then %q of one number", m, got, again)
			}
		}
	}
}

func TestValuesAreOfTheirFormat(t *testing.T) {
	formats := map[words.Meaning]string{words.Email: "email", words.UUID: "uuid", words.URL: "url", words.IPv4: "ipv4", words.IPv6: "ipv6", words.IBAN: "iban", words.Domain: "domain", words.Phone: "phone",
		words.BirthDate: "date", words.Price: "decimal", words.Quantity: "integer", words.Slug: "slug", words.Path: "path", words.JSON: "json", words.HTML: "html", words.SHA256: "hex", words.Hostname: "domain", words.Sentence: "sentence"}
	for m, want := range formats {
		k, _ := words.For(m, []string{"de", "en", "fr"})
		for i := range 500 {
			if v := k.Append(nil, scramble(i)); words.Formats(v) != want {
				t.Errorf("Formats(%q) = %q, want %q", v, words.Formats(v), want)
				break
			}
		}
	}
}

func TestValuesReachNobody(t *testing.T) {
	safe := func(domain string) bool {
		for _, end := range []string{"example.com", "example.org", "example.net", ".example", ".test"} {
			if strings.HasSuffix(domain, end) {
				return true
			}
		}
		return false
	}
	mail, _ := words.For(words.Email, everywhere)
	site, _ := words.For(words.Domain, everywhere)
	for i := range 3000 {
		for _, v := range []string{string(mail.Append(nil, scramble(i))), string(mail.AppendUnique(nil, uint64(i))), string(site.Append(nil, scramble(i))), string(site.AppendUnique(nil, uint64(i)))} {
			if !safe(v) {
				t.Fatalf("%s is somebody's", v)
			}
		}
	}
	card, _ := words.For(words.CreditCard, nil)
	for i := range 1000 {
		if v := card.AppendUnique(nil, scramble(i)>>24); words.LooksPrivate(v) != "card" || !bytes.HasPrefix(v, []byte("4242")) {
			t.Fatalf("%s is no card of the test range", v)
		}
	}
}

func TestValuesOfOneNumberBelongTogether(t *testing.T) {
	of := func(m words.Meaning) words.Maker { k, _ := words.For(m, everywhere); return k }
	given, family, full, city, address := of(words.GivenName), of(words.FamilyName), of(words.FullName), of(words.City), of(words.FullAddress)
	for i := range 2000 {
		r := scramble(i)
		name := string(full.Append(nil, r))
		if g, f := string(given.Append(nil, r)), string(family.Append(nil, r)); !strings.Contains(name, g) || !strings.Contains(name, f) {
			t.Fatalf("%q is not %q %q", name, g, f)
		}
		if c, a := string(city.Append(nil, r)), string(address.Append(nil, r)); !strings.Contains(a, c) {
			t.Fatalf("%q is not in %q", a, c)
		}
	}
}

func TestLocalesFor(t *testing.T) {
	for _, c := range []struct {
		scripts map[string]float64
		want    []string
	}{
		{nil, []string{"en"}},
		{map[string]float64{"Latin": 1}, []string{"en", "de", "fr", "es"}},
		{map[string]float64{"Cyrillic": 0.7, "Latin": 0.3}, []string{"ru", "uk", "en", "de", "fr", "es"}},
		{map[string]float64{"Han": 0.6, "Hiragana": 0.4}, []string{"ja"}},
		{map[string]float64{"Han": 0.99, "Hiragana": 0.01}, []string{"zh"}},
	} {
		if diff := cmp.Diff(c.want, words.LocalesFor(c.scripts)); diff != "" {
			t.Errorf("LocalesFor(%v): %s", c.scripts, diff)
		}
	}
}

func TestMakersAllocateNothing(t *testing.T) {
	buffer := make([]byte, 0, 4096)
	for _, m := range words.Meanings() {
		k, _ := words.For(m, everywhere)
		r := uint64(0)
		if n := testing.AllocsPerRun(200, func() {
			r++
			buffer = k.Append(buffer[:0], r*0x9e3779b97f4a7c15)
			buffer = k.AppendUnique(buffer[:0], r)
		}); n > 0 {
			t.Errorf("%s allocates %v times", m, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	buffer := make([]byte, 0, 4096)
	for _, m := range words.Meanings() {
		k, _ := words.For(m, []string{"en", "de", "fr"})
		b.Run(string(m), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				buffer = k.Append(buffer[:0], scramble(i))
			}
		})
	}
}
