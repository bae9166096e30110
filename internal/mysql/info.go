package mysql

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/measure"
)

// readOnlyUser is the user that ReadOnlyGrants make.
const readOnlyUser = "'rehearse_reader'@'%'"

// fewNames is how many of the tables that a user may write are named.
const fewNames = 5

// Info says what the server and the user are. Denied are tables of which the user
// may not read every column; tables that are hidden from the user are not known.
func (db *DB) Info(ctx context.Context) (measure.Info, error) {
	info := measure.Info{Version: db.release}
	var database, now string
	var rights []grant
	var tables []string
	err := db.read(ctx, func(s *session) error {
		err := s.conn.QueryRowContext(ctx, `
			SELECT DATABASE(), CURRENT_USER(), @@character_set_database, @@collation_database, IF(@@GLOBAL.time_zone = 'SYSTEM', @@system_time_zone, @@GLOBAL.time_zone),
				DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%T.%fZ')`).Scan(&database, &info.Role, &info.Encoding, &info.Collation, &info.TimeZone, &now)
		if err != nil {
			return err
		}
		lines, err := s.texts(ctx, "SHOW GRANTS")
		if err != nil {
			return err
		}
		for _, line := range lines {
			if g, ok := readGrant(line); ok {
				rights = append(rights, g)
			}
		}
		tables, err = s.texts(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME")
		return err
	})
	if err != nil {
		return measure.Info{}, fmt.Errorf("ask for the user's rights: %w", err)
	}
	if info.Now, err = time.Parse(time.RFC3339, now); err != nil {
		return measure.Info{}, fmt.Errorf("ask for the time: %w", err)
	}
	all := slices.ContainsFunc(rights, func(g grant) bool { return g.everywhere() && g.writes() })
	if all {
		info.CanWrite = []string{"everything, in all databases"}
	}
	for _, t := range tables {
		reads, writes := false, false
		for _, g := range rights {
			if g.covers(database, t) {
				reads, writes = reads || g.has("SELECT"), writes || g.writes()
			}
		}
		if writes && !all && len(info.CanWrite) < fewNames {
			info.CanWrite = append(info.CanWrite, t)
		}
		if !reads {
			info.Denied = append(info.Denied, t)
		}
	}
	info.ReadOnlyGrants = []string{
		"CREATE USER " + readOnlyUser + " IDENTIFIED BY 'choose-one'",
		"GRANT SELECT, SHOW VIEW ON " + quote(database) + ".* TO " + readOnlyUser,
		"GRANT SELECT ON mysql.innodb_index_stats TO " + readOnlyUser,
	}
	if db.maria {
		info.ReadOnlyGrants = append(info.ReadOnlyGrants, "GRANT SELECT ON mysql.column_stats TO "+readOnlyUser)
	}
	info.ReadOnlyGrants = append(info.ReadOnlyGrants, "GRANT SELECT ON performance_schema.* TO "+readOnlyUser)
	return info, nil
}

// grant is a line of SHOW GRANTS.
type grant struct {
	rights          []string
	database, table string // patterns; "*" is any
}

var grantLine = regexp.MustCompile("^GRANT (.+?) ON (?:TABLE )?(\\*|`(?:[^`]|``)+`)\\.(\\*|`(?:[^`]|``)+`) TO ")

// readGrant reads a line of SHOW GRANTS; those of roles and routines are no grants
// in this sense. A right to some columns alone is left out, but writing some is
// writing.
func readGrant(line string) (grant, bool) {
	m := grantLine.FindStringSubmatch(line)
	if m == nil {
		return grant{}, false
	}
	g := grant{database: unquote(m[2]), table: unquote(m[3])}
	for _, right := range splitRights(m[1]) {
		name, columns, _ := strings.Cut(right, " (")
		if columns == "" || name != "SELECT" {
			g.rights = append(g.rights, name)
		}
	}
	return g, true
}

// splitRights parts a list at its commas, those between parentheses aside.
func splitRights(list string) []string {
	var out []string
	depth, from := 0, 0
	for i, c := range list {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(list[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(list[from:]))
}

func unquote(name string) string {
	if strings.HasPrefix(name, "`") {
		return strings.ReplaceAll(name[1:len(name)-1], "``", "`")
	}
	return name
}

func (g grant) everywhere() bool { return g.database == "*" }

// covers reports whether the grant is about a table. In a database's name % and _
// are wildcards, unless a backslash stands before them.
func (g grant) covers(database, table string) bool {
	if g.table != "*" && g.table != table {
		return false
	}
	if g.database == "*" || g.database == database {
		return true
	}
	if g.table != "*" {
		return false // no patterns there
	}
	var pattern strings.Builder
	for i := 0; i < len(g.database); i++ {
		switch c := g.database[i]; {
		case c == '\\' && i+1 < len(g.database):
			i++
			pattern.WriteString(`\` + g.database[i:i+1])
		case c == '%':
			pattern.WriteByte('*')
		case c == '_':
			pattern.WriteByte('?')
		default:
			pattern.WriteString(strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`).Replace(string(c)))
		}
	}
	ok, err := path.Match(pattern.String(), database)
	return err == nil && ok
}

func (g grant) has(right string) bool {
	return slices.Contains(g.rights, right) || slices.Contains(g.rights, "ALL PRIVILEGES")
}

func (g grant) writes() bool {
	for _, right := range []string{"INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "CREATE", "SUPER"} {
		if g.has(right) {
			return true
		}
	}
	return false
}
