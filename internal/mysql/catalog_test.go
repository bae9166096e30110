package mysql_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// everything has a column of every type and a constraint of every kind.
const everythingSQL = `
	CREATE TABLE region (id smallint unsigned NOT NULL, name varchar(40) NOT NULL, PRIMARY KEY (id), UNIQUE KEY region_name (name)) COMMENT 'where';
	CREATE TABLE everything (
		id bigint unsigned NOT NULL AUTO_INCREMENT COMMENT 'the key', region_id smallint unsigned NOT NULL, parent_id bigint unsigned,
		tiny tinyint(1) NOT NULL DEFAULT 1, medium mediumint, size int DEFAULT -5,
		price decimal(12,2) NOT NULL DEFAULT 0.00, ratio float, share double,
		code char(4) DEFAULT 'it''s', email varchar(100) COLLATE utf8mb4_bin NOT NULL, note text, small tinytext, long_note longtext CHARACTER SET latin1,
		hash binary(20), salt varbinary(16), data blob, big longblob,
		doc json, born date, at datetime(3) NOT NULL DEFAULT current_timestamp(3), seen timestamp NULL, clock time(6), y year,
		state enum('new','it''s','a\\b') NOT NULL DEFAULT 'new', flags set('a','b'), mask bit(5) DEFAULT b'101', uid uuid, ip inet6, spot point,
		shout varchar(100) AS (upper(email)) STORED, twice int AS (size * 2) VIRTUAL,
		PRIMARY KEY (id), UNIQUE KEY pair (region_id, email), KEY by_note (note(20), size), FULLTEXT KEY words (note), KEY at (at),
		CONSTRAINT in_region FOREIGN KEY (region_id) REFERENCES region (id) ON UPDATE CASCADE,
		CONSTRAINT child_of FOREIGN KEY (parent_id) REFERENCES everything (id) ON DELETE SET NULL,
		CONSTRAINT positive CHECK (price >= 0), CHECK (size < 10 or code = 'x'));
	CREATE TABLE prefixed (name varchar(200) NOT NULL, v int CHECK (v > 0), UNIQUE KEY (name(10)));
	CREATE TABLE parts (id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (year(at)) (
		PARTITION old VALUES LESS THAN (2026), PARTITION new VALUES LESS THAN MAXVALUE);
	CREATE VIEW seen AS SELECT id FROM region;
	CREATE TRIGGER on_region BEFORE INSERT ON region FOR EACH ROW SET NEW.name = concat(NEW.name, '!');`

func TestCatalog(t *testing.T) {
	url := testdb.MariaDB(t)
	testdb.MariaDBSQL(t, url, everythingSQL)
	s := open(t, url).Schema()

	var names []string
	for _, tb := range s.Tables {
		names = append(names, tb.QName())
	}
	if diff := cmp.Diff([]string{"everything", "parts", "prefixed", "region"}, names); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	const bounded = 1<<16 - 1
	want := []schema.Column{
		{Name: "id", Type: schema.Type{SQL: "bigint(20) unsigned", Name: "bigint", Kind: schema.Int, Size: 8, Unsigned: true}, NotNull: true, Identity: "auto", Comment: "the key"},
		{Name: "region_id", Type: schema.Type{SQL: "smallint(5) unsigned", Name: "smallint", Kind: schema.Int, Size: 2, Unsigned: true}, NotNull: true},
		{Name: "parent_id", Type: schema.Type{SQL: "bigint(20) unsigned", Name: "bigint", Kind: schema.Int, Size: 8, Unsigned: true}},
		{Name: "tiny", Type: schema.Type{SQL: "tinyint(1)", Name: "tinyint", Kind: schema.Int, Size: 1}, NotNull: true, Default: "1"},
		{Name: "medium", Type: schema.Type{SQL: "mediumint(9)", Name: "mediumint", Kind: schema.Int, Size: 3}},
		{Name: "size", Type: schema.Type{SQL: "int(11)", Name: "int", Kind: schema.Int, Size: 4}, Default: "-5"},
		{Name: "price", Type: schema.Type{SQL: "decimal(12,2)", Name: "decimal", Kind: schema.Decimal, Precision: 12, Scale: 2}, NotNull: true, Default: "0.00"},
		{Name: "ratio", Type: schema.Type{SQL: "float", Name: "float", Kind: schema.Float, Size: 4}},
		{Name: "share", Type: schema.Type{SQL: "double", Name: "double", Kind: schema.Float, Size: 8}},
		{Name: "code", Type: schema.Type{SQL: "char(4)", Name: "char", Kind: schema.Text, Length: 4, Fixed: true}, Default: "'it''s'", CaseInsensitive: true},
		{Name: "email", Type: schema.Type{SQL: "varchar(100)", Name: "varchar", Kind: schema.Text, Length: 100}, NotNull: true},
		{Name: "note", Type: schema.Type{SQL: "text", Name: "text", Kind: schema.Text, Length: bounded / 4}, CaseInsensitive: true},
		{Name: "small", Type: schema.Type{SQL: "tinytext", Name: "tinytext", Kind: schema.Text, Length: 255 / 4}, CaseInsensitive: true},
		{Name: "long_note", Type: schema.Type{SQL: "longtext", Name: "longtext", Kind: schema.Text, Charset: "latin1"}, CaseInsensitive: true},
		{Name: "hash", Type: schema.Type{SQL: "binary(20)", Name: "binary", Kind: schema.Bytes, Length: 20, Fixed: true}},
		{Name: "salt", Type: schema.Type{SQL: "varbinary(16)", Name: "varbinary", Kind: schema.Bytes, Length: 16}},
		{Name: "data", Type: schema.Type{SQL: "blob", Name: "blob", Kind: schema.Bytes, Length: bounded}},
		{Name: "big", Type: schema.Type{SQL: "longblob", Name: "longblob", Kind: schema.Bytes}},
		{Name: "doc", Type: schema.Type{SQL: "json", Name: "json", Kind: schema.JSON}},
		{Name: "born", Type: schema.Type{SQL: "date", Name: "date", Kind: schema.Date}},
		{Name: "at", Type: schema.Type{SQL: "datetime(3)", Name: "datetime", Kind: schema.Timestamp, Fraction: 3}, NotNull: true, Default: "current_timestamp(3)"},
		{Name: "seen", Type: schema.Type{SQL: "timestamp", Name: "timestamp", Kind: schema.Instant}},
		{Name: "clock", Type: schema.Type{SQL: "time(6)", Name: "time", Kind: schema.Time, Fraction: 6}},
		{Name: "y", Type: schema.Type{SQL: "year(4)", Name: "year", Kind: schema.Other}},
		{Name: "state", Type: schema.Type{SQL: `enum('new','it''s','a\\b')`, Name: "enum", Kind: schema.Enum, Labels: []string{"new", "it's", `a\b`}}, NotNull: true, Default: "'new'", CaseInsensitive: true},
		{Name: "flags", Type: schema.Type{SQL: "set('a','b')", Name: "set", Kind: schema.Other, Labels: []string{"a", "b"}}, CaseInsensitive: true},
		{Name: "mask", Type: schema.Type{SQL: "bit(5)", Name: "bit", Kind: schema.Bits, Length: 5, Fixed: true}, Default: "b'101'"},
		{Name: "uid", Type: schema.Type{SQL: "uuid", Name: "uuid", Kind: schema.UUID}},
		{Name: "ip", Type: schema.Type{SQL: "inet6", Name: "inet6", Kind: schema.Inet}},
		{Name: "spot", Type: schema.Type{SQL: "point", Name: "point", Kind: schema.Other}},
		{Name: "shout", Type: schema.Type{SQL: "varchar(100)", Name: "varchar", Kind: schema.Text, Length: 100}, Generated: "ucase(`email`)", CaseInsensitive: true},
		{Name: "twice", Type: schema.Type{SQL: "int(11)", Name: "int", Kind: schema.Int, Size: 4}, Generated: "`size` * 2"},
	}
	got := table(t, s, "everything")
	if diff := cmp.Diff(want, got.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	rest := *got
	rest.Columns = nil
	wantRest := schema.Table{
		Name: "everything",
		Keys: []schema.Key{
			{Name: "PRIMARY", Primary: true, Constraint: true, Parts: []schema.KeyPart{{Column: "id"}}, Definition: "PRIMARY KEY (`id`)"},
			{Name: "pair", Constraint: true, Parts: []schema.KeyPart{{Column: "region_id"}, {Column: "email"}}, Definition: "UNIQUE KEY `pair` (`region_id`, `email`)"},
		},
		ForeignKeys: []schema.ForeignKey{
			{Name: "child_of", Columns: []string{"parent_id"}, Table: "everything", To: []string{"id"}, OnDelete: "SET NULL",
				Definition: "FOREIGN KEY (`parent_id`) REFERENCES `everything` (`id`) ON DELETE SET NULL"},
			{Name: "in_region", Columns: []string{"region_id"}, Table: "region", To: []string{"id"},
				Definition: "FOREIGN KEY (`region_id`) REFERENCES `region` (`id`) ON UPDATE CASCADE"},
		},
		Checks: []schema.Check{{Name: "CONSTRAINT_1", Expr: "`size` < 10 or `code` = 'x'"}, {Name: "positive", Expr: "`price` >= 0"}},
		Indexes: []schema.Index{
			{Name: "at", Definition: "CREATE INDEX `at` ON `everything` (`at`)", Columns: []string{"at"}},
			{Name: "by_note", Definition: "CREATE INDEX `by_note` ON `everything` (`note`(20), `size`)", Columns: []string{"note", "size"}},
			{Name: "child_of", Definition: "CREATE INDEX `child_of` ON `everything` (`parent_id`)", Columns: []string{"parent_id"}},
			{Name: "words", Definition: "CREATE FULLTEXT INDEX `words` ON `everything` (`note`)", Columns: []string{"note"}},
		},
	}
	if diff := cmp.Diff(wantRest, rest); diff != "" {
		t.Errorf("constraints (-want +got):\n%s", diff)
	}
	region := table(t, s, "region")
	if diff := cmp.Diff([]schema.Trigger{{Name: "on_region", Timing: "BEFORE INSERT ROW", Enabled: true}}, region.Triggers); diff != "" {
		t.Errorf("triggers (-want +got):\n%s", diff)
	}
	if region.Comment != "where" {
		t.Errorf("got the comment %q, want where", region.Comment)
	}
	prefixed := table(t, s, "prefixed")
	if diff := cmp.Diff([]schema.KeyPart{{Column: "name", Prefix: 10}}, prefixed.Keys[0].Parts); diff != "" {
		t.Errorf("key of a prefix (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]schema.Check{{Name: "v", Expr: "`v` > 0"}}, prefixed.Checks); diff != "" {
		t.Errorf("a column's check (-want +got):\n%s", diff)
	}
	if !table(t, s, "parts").Leaf() {
		t.Error("a partitioned table is more than one")
	}
}

// Every expression of the schemas that nobody here wrote is understood, and every
// column has a kind.
func TestForeignCatalogs(t *testing.T) {
	for name := range foreign {
		t.Run(name, func(t *testing.T) {
			url := testdb.MariaDB(t)
			loadForeign(t, url, name)
			s := open(t, url).Schema()
			if len(s.Tables) < 20 {
				t.Errorf("got %d tables, want more", len(s.Tables))
			}
			for _, tb := range s.Tables {
				if _, ok := tb.Primary(); !ok && name == "icingadb" {
					t.Errorf("table %s has no primary key", tb.Name)
				}
				for _, c := range tb.Checks {
					if _, err := schema.ParseExpr(schema.MySQL, c.Expr); err != nil {
						t.Errorf("%s: %v", tb.Name, err)
					}
				}
				for _, c := range tb.Columns {
					if c.Type.Kind == schema.Other {
						t.Errorf("%s.%s: the type %s has no kind", tb.Name, c.Name, c.Type.SQL)
					}
				}
			}
		})
	}
}
