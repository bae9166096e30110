package postgres_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

var update = flag.Bool("update", false, "write testdata/features.golden anew")

func TestCatalog(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "@testdata/features.sql")
	s := open(t, url).Schema()
	got := describe(t, s)
	const golden = "testdata/features.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the catalogue is not that of %s (-want +got):\n%s", golden, diff)
	}

	// What a role sets for itself must not show in expressions and bounds.
	testdb.SQL(t, url, "ALTER ROLE postgres SET search_path = audit", "ALTER ROLE postgres SET timezone = 'Asia/Tokyo'", "ALTER ROLE postgres SET datestyle = 'German'")
	t.Cleanup(func() { testdb.SQL(t, url, "ALTER ROLE postgres RESET ALL") })
	if diff := cmp.Diff(s, open(t, url).Schema()); diff != "" {
		t.Errorf("the catalogue depends on the role's settings (-want +got):\n%s", diff)
	}
}

// describe writes a schema down with a line for each column, key and so on.
func describe(t *testing.T, s *schema.Schema) string {
	t.Helper()
	var b strings.Builder
	encode := json.NewEncoder(&b)
	encode.SetEscapeHTML(false)
	for _, table := range s.Tables {
		fmt.Fprintf(&b, "%s\n", table.QName())
		fields := reflect.ValueOf(*table)
		for i := range fields.NumField() {
			name, field := fields.Type().Field(i).Name, fields.Field(i)
			switch field.Kind() {
			case reflect.Slice:
				for j := range field.Len() {
					fmt.Fprintf(&b, "  %s ", name)
					if err := encode.Encode(field.Index(j).Interface()); err != nil {
						t.Fatal(err)
					}
				}
			default:
				if field.IsZero() || name == "Name" || name == "Schema" {
					continue
				}
				fmt.Fprintf(&b, "  %s ", name)
				if err := encode.Encode(field.Interface()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return b.String()
}

// counts are how many there are of each kind of thing.
type counts struct{ Tables, References, Unique, Checks, Enums, Domains int }

func count(s *schema.Schema) counts {
	got := counts{Tables: len(s.Tables)}
	enums, domains := map[string]bool{}, map[string]bool{}
	for _, table := range s.Tables {
		got.References += len(table.ForeignKeys)
		got.Checks += len(table.Checks)
		for _, k := range table.Keys {
			if !k.Primary {
				got.Unique++
			}
		}
		for _, c := range table.Columns {
			if c.Type.Kind == schema.Enum {
				enums[c.Type.Name] = true
			}
			if c.Type.Domain != "" {
				domains[c.Type.Domain] = true
			}
		}
	}
	got.Enums, got.Domains = len(enums), len(domains)
	return got
}

// writes counts how often something is sent.
type writes struct {
	net.Conn
	n *int
}

func (w writes) Write(p []byte) (int, error) {
	*w.n++
	return w.Conn.Write(p)
}

func TestCatalogOfForeignSchemas(t *testing.T) {
	want := map[string]counts{
		"zabbix":          {Tables: 173, References: 226, Unique: 56},
		"icingadb":        {Tables: 61, References: 7, Unique: 3, Enums: 7, Domains: 7},
		"mediawiki":       {Tables: 58, Unique: 22, Enums: 1},
		"request-tracker": {Tables: 33, Unique: 6},
		"bacula":          {Tables: 26, Unique: 5, Checks: 3},
	}
	for _, f := range testdb.Schemas() {
		t.Run(f.Name, func(t *testing.T) {
			url := testdb.Postgres(t)
			if f.Name == "zabbix" {
				f.Files = f.Files[:1] // the others are its rows
			}
			f.Load(t, url)
			sent := 0
			db, err := postgres.OpenWith(t.Context(), postgres.Config{URL: url, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return writes{conn, &sent}, err
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			before := sent
			if diff := cmp.Diff(want[f.Name], count(catalog(t, db))); diff != "" {
				t.Errorf("the catalogue's size (-want +got):\n%s", diff)
			}
			// It takes as long as the round trips do, however many tables there are.
			if asked := sent - before; asked > 12 {
				t.Errorf("the catalogue took %d round trips, want at most 12", asked)
			}
		})
	}
}
