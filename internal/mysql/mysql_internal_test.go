package mysql

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

func TestReadVersion(t *testing.T) {
	tests := []struct {
		version, release string
		maria, tooOld    bool
	}{
		{"10.11.19-MariaDB-0+deb12u1", "10.11.19-MariaDB", true, false},
		{"10.4.32-MariaDB", "10.4.32-MariaDB", true, true},
		{"11.4.2-MariaDB-ubu2404", "11.4.2-MariaDB", true, false},
		{"8.0.36-0ubuntu0.22.04.1", "8.0.36", false, false},
		{"8.0.15", "8.0.15", false, true},
		{"8.4.0", "8.4.0", false, false},
		{"5.7.44-log", "5.7.44", false, true},
	}
	for _, tt := range tests {
		maria, release, tooOld := readVersion(tt.version)
		if maria != tt.maria || release != tt.release || tooOld != tt.tooOld {
			t.Errorf("%s: got %v %q %v, want %v %q %v", tt.version, maria, release, tooOld, tt.maria, tt.release, tt.tooOld)
		}
	}
}

// What MySQL prints in its own way is written as MariaDB does.
func TestMySQLDefaults(t *testing.T) {
	tests := []struct {
		kind         schema.Kind
		extra, value string
		want         string
	}{
		{schema.Text, "", "it's", "'it''s'"},
		{schema.Text, "", "", "''"},
		{schema.Int, "", "5", "5"},
		{schema.Bits, "", "b'101'", "b'101'"},
		{schema.Timestamp, "DEFAULT_GENERATED", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"},
		{schema.Timestamp, "", "2026-01-01 00:00:00", "'2026-01-01 00:00:00'"},
		{schema.Text, "DEFAULT_GENERATED", `concat(_utf8mb4\'a\',_latin1\'b\')`, "concat('a','b')"},
	}
	db := &DB{}
	for _, tt := range tests {
		got := db.defaultOf(schema.Type{Kind: tt.kind}, columnRow{Extra: tt.extra, Default: sql.NullString{String: tt.value, Valid: true}})
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.value, got, tt.want)
		}
	}
	const check = "((`state` = _utf8mb4\\'new\\') or (`size` > 0))"
	if got, want := db.expression(check), "((`state` = 'new') or (`size` > 0))"; got != want {
		t.Errorf("got the check %s, want %s", got, want)
	}
}

func TestReadGrant(t *testing.T) {
	tests := []struct {
		line          string
		reads, writes bool // orders of the database shop_1
	}{
		{"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", true, true},
		{"GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*0'", false, false},
		{"GRANT SELECT ON `shop\\_1`.* TO `a`@`%`", true, false},
		{"GRANT SELECT, INSERT ON `shop%`.* TO `a`@`%`", true, true},
		{"GRANT SELECT ON `shopx1`.* TO `a`@`%`", false, false},
		{"GRANT SELECT (`id`, `at`), UPDATE (`at`) ON `shop_1`.`orders` TO `a`@`%`", false, true},
		{"GRANT SELECT ON TABLE `shop_1`.`orders` TO `a`@`%`", true, false},
		{"GRANT SELECT ON `shop_1`.`other` TO `a`@`%`", false, false},
		{"GRANT `reader` TO `a`@`%`", false, false},
	}
	for _, tt := range tests {
		g, ok := readGrant(tt.line)
		covers := ok && g.covers("shop_1", "orders")
		if reads, writes := covers && g.has("SELECT"), covers && g.writes(); reads != tt.reads || writes != tt.writes {
			t.Errorf("%s: got that it reads %v, writes %v, want %v, %v", tt.line, reads, writes, tt.reads, tt.writes)
		}
	}
}

func TestNumbered(t *testing.T) {
	tests := []struct{ digest, want string }{
		{"SELECT * FROM `a?` WHERE `x` = ? AND `y` IN (...)", "SELECT * FROM `a?` WHERE `x` = $1 AND `y` IN ($2)"},
		{"DELETE FROM `a`", "DELETE FROM `a`"},
	}
	for _, tt := range tests {
		if got := numbered(tt.digest); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func FuzzLabels(f *testing.F) {
	f.Add("new", "it's")
	f.Add(`a\b`, "")
	f.Add("a','b", "\x00\n\r\x1a")
	f.Fuzz(func(t *testing.T, a, b string) {
		want := []string{a, b}
		if diff := cmp.Diff(want, labels("enum("+literal(a)+","+literal(b)+")")); diff != "" {
			t.Error(diff)
		}
		labels(a) // whatever it is
	})
}

// A line that LOAD DATA reads ends where it ends, and nowhere in between.
func FuzzEscaped(f *testing.F) {
	f.Add([]byte("a\tb\\\n\x00'"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, end := range []byte{'\t', '\''} {
			escaped := string(appendEscaped(nil, text, end))
			if end == '\t' && strings.ContainsAny(escaped, "\t\n\x00") {
				t.Errorf("%q has a character that ends a value", escaped)
			}
			var back []byte
			for i := 0; i < len(escaped); i++ {
				c := escaped[i]
				if c == end {
					t.Fatalf("%q ends in between", escaped)
				}
				if c == '\\' {
					i++
					c = escaped[i]
					if at := strings.IndexByte("0nt", c); at >= 0 {
						c = "\x00\n\t"[at]
					}
				}
				back = append(back, c)
			}
			if string(back) != string(text) {
				t.Errorf("got %q back, want %q", back, text)
			}
		}
	})
}
