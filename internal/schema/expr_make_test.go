package schema_test

import (
	"regexp"
	"testing"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

func TestFromRegex(t *testing.T) {
	for _, re := range []string{
		`^[^@]+@[^@]+$`, `(?s)^[A-Z]{2}\d{6,8}$`, `^(a|bc|def)*x?$`, `^\+?[0-9 ()-]{7,15}$`, `(?i)^abc$`, `^[[:upper:]][[:lower:]]+( [[:upper:]][[:lower:]]+)*$`,
		`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, `foo`, ``, `^.+\..+$`, `^\p{Greek}{3}$`, `^https?://[^/ ]+(/[^ ]*)?$`, `^[^a-zA-Z0-9]{4}$`, `^\x{1F600}?[^ -~]$`,
	} {
		t.Run(re, func(t *testing.T) {
			make, err := schema.FromRegex(re)
			if err != nil {
				t.Fatal(err)
			}
			want := regexp.MustCompile(re)
			seen := map[string]bool{}
			for r := range uint64(2000) {
				got := make(nil, r*0x9e3779b97f4a7c15)
				if !want.Match(got) || !utf8.Valid(got) {
					t.Fatalf("%q does not match", got)
				}
				seen[string(got)] = true
				if again := make([]byte("x"), r*0x9e3779b97f4a7c15); string(again) != "x"+string(got) {
					t.Fatalf("the same number made %q and %q", got, again)
				}
			}
			if re == `^[^@]+@[^@]+$` && len(seen) < 1900 {
				t.Errorf("%d of 2,000 texts are different", len(seen))
			}
		})
	}
	for _, re := range []string{`\bfoo`, `a^b`, `(`, `[^\x{0}-\x{10FFFF}]`} {
		if _, err := schema.FromRegex(re); err == nil {
			t.Errorf("FromRegex(%q) makes something", re)
		}
	}
}
