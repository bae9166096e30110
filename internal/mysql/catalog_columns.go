package mysql

import (
	"context"
	"database/sql"
	"regexp"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

type columnRow struct {
	Table, Name, DataType, SQL  string
	Length, Precision, Scale    int64
	Fraction                    int64
	CharacterWidth              int64 // of the widest character of the column's character set
	Charset, Collation          string
	Nullable                    bool
	Default                     sql.NullString
	Extra, Expression, Comments string
}

const columnsQuery = `
	SELECT c.TABLE_NAME, c.COLUMN_NAME, LOWER(c.DATA_TYPE), c.COLUMN_TYPE, COALESCE(c.CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(c.NUMERIC_PRECISION, 0),
		COALESCE(c.NUMERIC_SCALE, 0), COALESCE(c.DATETIME_PRECISION, 0), COALESCE(s.MAXLEN, 1), COALESCE(c.CHARACTER_SET_NAME, ''), COALESCE(c.COLLATION_NAME, ''), c.IS_NULLABLE = 'YES',
		c.COLUMN_DEFAULT, COALESCE(c.EXTRA, ''), COALESCE(c.GENERATION_EXPRESSION, ''), COALESCE(c.COLUMN_COMMENT, '')
	FROM information_schema.COLUMNS c LEFT JOIN information_schema.CHARACTER_SETS s ON s.CHARACTER_SET_NAME = c.CHARACTER_SET_NAME
	WHERE c.TABLE_SCHEMA = DATABASE() ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`

func (r *reader) readColumns(ctx context.Context) error {
	return r.session.each(ctx, columnsQuery, func(row *sql.Rows) error {
		var c columnRow
		err := row.Scan(&c.Table, &c.Name, &c.DataType, &c.SQL, &c.Length, &c.Precision, &c.Scale, &c.Fraction, &c.CharacterWidth, &c.Charset, &c.Collation,
			&c.Nullable, &c.Default, &c.Extra, &c.Expression, &c.Comments)
		if err != nil {
			return err
		}
		if rel := r.tables[c.Table]; rel != nil {
			rel.table.Columns = append(rel.table.Columns, r.column(rel.table, c))
		}
		return nil
	})
}

func (r *reader) column(t *schema.Table, c columnRow) schema.Column {
	out := schema.Column{
		Name: c.Name, Type: typeOf(c), NotNull: !c.Nullable, Comment: c.Comments, Generated: r.db.expression(c.Expression),
		CaseInsensitive: strings.HasSuffix(c.Collation, "_ci"),
	}
	if strings.Contains(strings.ToLower(c.Extra), "auto_increment") {
		out.Identity = "auto"
	}
	if c.Default.Valid && out.Generated == "" {
		out.Default = r.db.defaultOf(out.Type, c)
	}
	// Checks have been read: of JSON one is the type's own.
	for _, k := range r.checks[t.Name] {
		if c.DataType == "longtext" && k.column && k.Name == c.Name && k.Expr == "json_valid("+quote(c.Name)+")" {
			out.Type = schema.Type{SQL: "json", Name: "json", Kind: schema.JSON}
			out.CaseInsensitive = false
			continue
		}
		if k.column && k.Name == c.Name {
			t.Checks = append(t.Checks, k.Check)
		}
	}
	return out
}

// typeOf makes a type of what the server says of a column.
func typeOf(c columnRow) schema.Type {
	t := schema.Type{SQL: c.SQL, Name: c.DataType, Kind: schema.Other}
	t.Unsigned = strings.Contains(c.SQL, " unsigned")
	switch c.Charset {
	case "utf8mb4", "utf16", "utf16le", "utf32":
	default:
		t.Charset = c.Charset
	}
	switch c.DataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		t.Kind, t.Size = schema.Int, map[string]int{"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}[c.DataType]
	case "float":
		t.Kind, t.Size = schema.Float, 4
	case "double":
		t.Kind, t.Size = schema.Float, 8
	case "decimal":
		t.Kind, t.Precision, t.Scale = schema.Decimal, int(c.Precision), int(c.Scale)
	case "char", "varchar":
		t.Kind, t.Length, t.Fixed = schema.Text, int(c.Length), c.DataType == "char"
	case "tinytext", "text", "mediumtext":
		// The bound is in bytes: this many characters fit, whichever they are.
		t.Kind, t.Length = schema.Text, int(c.Length/max(1, c.CharacterWidth))
	case "longtext":
		t.Kind = schema.Text
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob":
		t.Kind, t.Length, t.Fixed = schema.Bytes, int(c.Length), c.DataType == "binary"
	case "longblob":
		t.Kind = schema.Bytes
	case "date":
		t.Kind = schema.Date
	case "time":
		t.Kind, t.Fraction = schema.Time, int(c.Fraction)
	case "datetime":
		t.Kind, t.Fraction = schema.Timestamp, int(c.Fraction)
	case "timestamp":
		t.Kind, t.Fraction = schema.Instant, int(c.Fraction)
	case "enum":
		t.Kind, t.Labels = schema.Enum, labels(c.SQL)
	case "set":
		t.Labels = labels(c.SQL)
	case "json":
		t.Kind = schema.JSON
	case "bit":
		t.Kind, t.Length, t.Fixed = schema.Bits, int(c.Precision), true
	case "uuid":
		t.Kind = schema.UUID
	case "inet4", "inet6":
		t.Kind = schema.Inet
	}
	return t
}

// labels are those in enum('a','b'). A quote stands there twice, and a backslash
// before itself, 0, n, r and Z.
func labels(sql string) []string {
	var out []string
	var label strings.Builder
	inside := false
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '\'' && inside && i+1 < len(sql) && sql[i+1] == '\'':
			label.WriteByte('\'')
			i++
		case c == '\'':
			if inside = !inside; !inside {
				out = append(out, label.String())
				label.Reset()
			}
		case !inside:
		case c == '\\' && i+1 < len(sql):
			i++
			if at := strings.IndexByte("0nrZ", sql[i]); at >= 0 {
				label.WriteByte("\x00\n\r\x1a"[at])
			} else {
				label.WriteByte(sql[i])
			}
		default:
			label.WriteByte(c)
		}
	}
	return out
}

// defaultOf is a column's default as an expression; empty: none. MariaDB prints
// one; MySQL prints the value and says whether it is an expression.
func (db *DB) defaultOf(t schema.Type, c columnRow) string {
	value := c.Default.String
	if db.maria {
		if strings.EqualFold(value, "NULL") {
			return ""
		}
		return value
	}
	switch {
	case strings.Contains(c.Extra, "DEFAULT_GENERATED"), t.Kind == schema.Int, t.Kind == schema.Float, t.Kind == schema.Decimal, t.Kind == schema.Bits:
		return db.expression(value)
	}
	return literal(value)
}

// introducer is a character set before a literal, as MySQL prints it in
// expressions.
var introducer = regexp.MustCompile(`\b_[a-z0-9]+'`)

// expression is an expression as MariaDB prints it. MySQL escapes quotes in what
// it prints, and says the character set of literals.
func (db *DB) expression(e string) string {
	if db.maria {
		return e
	}
	return introducer.ReplaceAllString(strings.ReplaceAll(e, `\'`, `'`), "'")
}
