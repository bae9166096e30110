package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestDump(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "@testdata/features.sql")
	db := open(t, url)
	for _, tab := range db.Schema().Tables {
		b, _ := json.MarshalIndent(tab, "", " ")
		t.Logf("%s", b)
	}
}
