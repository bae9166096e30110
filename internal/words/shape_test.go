package words_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/words"
)

func TestShape(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"Ab-12":                         "Aa-99",
		"AB-123456":                     "AA-9+",
		"hello World":                   "a+ Aaaaa",
		"Straße 1":                      "Aa+ 9",
		"東京 12":                         "aa 99",
		"a@b.example":                   "a@a.a+",
		"١٢٣":                           "999",
		strings.Repeat("a-", 30):        strings.Repeat("a-", 20),
		strings.Repeat("abc1", 20):      strings.Repeat("aaa9", 10),
		"INV-2026-00017":                "AAA-9999-9+",
		"\xff":                          "\ufffd",
		"2026-01-02 03:04:05.123456+02": "9999-99-99 99:99:99.9++99",
	} {
		if got := string(words.Shape(nil, []byte(in))); got != want {
			t.Errorf("Shape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFromShapeHasTheShape(t *testing.T) {
	for _, shape := range []string{"", "A", "Aa-99", "AA-9+", "a+ Aaaa", "9999-99-99", "A+ a+ 9+", "é", "a@a.a+", "++", "日本"} {
		for i := range 200 {
			got := words.FromShape(nil, shape, scramble(i))
			want := shape
			if shape == "é" || shape == "日本" {
				want = strings.NewReplacer("é", "a", "日本", "aa").Replace(shape)
			}
			if again := string(words.Shape(nil, got)); again != want {
				t.Fatalf("FromShape(%q) = %q, of shape %q", shape, got, again)
			}
		}
	}
}

func TestFormats(t *testing.T) {
	for in, want := range map[string]string{
		"a.b+c@example.com": "email", "a@b": "", "Contact a@example.com now": "sentence",
		"6f1c2f6e-7f0a-4d56-9a55-0f3d6b7f1c11": "uuid", "https://example.com/a?b=c": "url", "+49 30 23125 123": "phone", "(212) 555-0123": "phone",
		"DE89370400440532013000": "iban", "GB82WEST12345698765433": "", "GB82 WEST 1234 5698 7654 32": "iban",
		"192.0.2.1": "ipv4", "999.1.1.1": "", "2001:db8::1": "ipv6", "::1": "ipv6", "d41d8cd98f00b204e9800998ecf8427e": "hex",
		"SGVsbG8gd29ybGQhIQ==": "base64", "2026-01-02": "date", "2026-01-02 03:04:05+00": "timestamp", "2026-01-02T03:04:05Z": "timestamp", "12:30": "",
		"42": "integer", "-7": "integer", "3.14": "decimal", "blue-green-7": "slug", `{"a": 1}`: "json", "[1,2]": "json", "<p>hi</p>": "html",
		"/var/log/syslog": "path", "images/a.png": "path", "www.example.org": "domain", "Hello": "word", "Größe": "word", "東京": "word", "the quick brown fox": "sentence", "a1": "", "": "",
	} {
		if got := words.Formats([]byte(in)); got != want {
			t.Errorf("Formats(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFromFormatHasTheFormat(t *testing.T) {
	for _, format := range []string{"email", "uuid", "url", "phone", "iban", "ipv4", "ipv6", "hex", "base64", "date", "timestamp", "integer", "decimal", "slug", "json", "html", "path", "domain", "sentence", "word"} {
		for i := range 300 {
			length := 5 + i%60
			got := words.FromFormat(nil, format, scramble(i), length)
			if is := words.Formats(got); is != format {
				t.Errorf("FromFormat(%q, %d) = %q, which is %q", format, length, got, is)
				break
			}
		}
	}
}

func TestFillerHasJustSoManyCharacters(t *testing.T) {
	for _, script := range []string{"Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Han", "Hiragana", "Katakana", "Hangul", "Thai"} {
		for i := range 600 {
			chars, n := i%150, i%13
			got := words.Filler(nil, scramble(i), chars, n, script)
			if utf8.RuneCount(got) != chars || strings.TrimSpace(string(got)) != string(got) {
				t.Fatalf("%s: %d characters in %d words: %q has %d", script, chars, n, got, utf8.RuneCount(got))
			}
		}
	}
	near := 0
	for i := range 1000 {
		n := 2 + i%10
		if got := len(strings.Fields(string(words.Filler(nil, scramble(i), n*7, n, "Latin")))); got >= n-1 && got <= n+1 {
			near++
		}
	}
	if near < 900 {
		t.Errorf("%d of 1000 texts have about as many words as asked for", near)
	}
}

func TestLooksPrivate(t *testing.T) {
	for in, want := range map[string]string{
		"a@example.com": "email", "write to jane.doe@example.com, please": "email", "+1 (212) 555-0123": "phone", "DE89370400440532013000": "iban",
		"pay DE89 3704 0044 0532 0130 00 now": "iban", "4242 4242 4242 4242": "card", "card 4242424242424242 was charged": "card", "4242424242424243": "",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc": "secret", "-----BEGIN RSA PRIVATE KEY-----": "secret", "$2b$12$abcdefghijklmnopqrstuu": "secret",
		"d41d8cd98f00b204e9800998ecf8427e": "token", "Xk29fPq81LmZ7rT3vB6nW0yC": "token", "192.0.2.1": "ip", "postgres://app:hunter2@db/app": "url with credentials",
		"https://example.com/a": "", "Maria Schmidt": "name", "Schmidt Maria": "name", "Иван Петров": "name", "active": "", "New York": "", "2026-01-02": "", "Main Street": "", "": "", "a user@host": "",
		"12345": "", "internationalization": "", "2026-01-02 03:04:05.123456": "", "6f1c2f6e-7f0a-4d56-9a55-0f3d6b7f1c11": "",
	} {
		if got := words.LooksPrivate([]byte(in)); got != want {
			t.Errorf("LooksPrivate(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"a@b.example", "DE89370400440532013000", "::1", "{[", "<a>", "4242 4242 4242 4242", "\xff\xfe", "https://a:b@c", "É9+"} {
		f.Add(s, uint64(7))
	}
	f.Fuzz(func(t *testing.T, s string, r uint64) {
		v := []byte(s)
		shape := words.Shape(nil, v)
		if !utf8.Valid(shape) || utf8.RuneCount(shape) > 41 {
			t.Fatalf("Shape(%q) = %q", s, shape)
		}
		if made := words.FromShape(nil, string(shape), r); !utf8.Valid(made) {
			t.Fatalf("FromShape(%q) = %q", shape, made)
		}
		format := words.Formats(v)
		words.LooksPrivate(v)
		if made := words.FromFormat(nil, format, r, min(len(s), 500)); !utf8.Valid(made) || len(made) == 0 {
			t.Fatalf("FromFormat(%q) = %q", format, made)
		}
		words.Private(s)
		words.Guess(s, s, typeOf("text"), s)
	})
}
