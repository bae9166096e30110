package dataset_test

import (
	"testing"

	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/likeness"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// TestMariaDB fills a MariaDB from its schema alone, profiles it, and fills
// another from the profile; the loader proves every constraint.
func TestMariaDB(t *testing.T) {
	const ddl = `
CREATE TABLE customer (id int AUTO_INCREMENT PRIMARY KEY, email varchar(120) NOT NULL UNIQUE, name varchar(60) NOT NULL,
  plain varchar(40) CHARACTER SET latin1 NOT NULL, code varchar(20) CHARACTER SET ascii NOT NULL, tier enum('free','pro','legacy') NOT NULL DEFAULT 'free',
  born date, made datetime NOT NULL, path varchar(40) NOT NULL DEFAULT 'c:\\\\temp', doc json, address inet6, UNIQUE KEY short (name(30), id)) CHARACTER SET utf8mb4;
CREATE TABLE purchase (id bigint AUTO_INCREMENT PRIMARY KEY, customer int NOT NULL, parent bigint NULL, total decimal(10,2) NOT NULL CHECK (total >= 0),
  status varchar(10) NOT NULL CHECK (status IN ('open','paid')), at timestamp NOT NULL DEFAULT current_timestamp,
  FOREIGN KEY (customer) REFERENCES customer (id), FOREIGN KEY (parent) REFERENCES purchase (id));
CREATE TABLE tagging (purchase bigint NOT NULL, tag varchar(8) NOT NULL, PRIMARY KEY (purchase, tag), FOREIGN KEY (purchase) REFERENCES purchase (id));`
	a, b := testdb.MariaDB(t), testdb.MariaDB(t)
	testdb.MariaDBSQL(t, a, ddl)
	testdb.MariaDBSQL(t, b, ddl)
	first, second := open(t, a), open(t, b)
	if made := fill(t, first, &dataset.Files{Spec: dataset.Spec{Seed: 1, Rows: 2000}}); made.Rows != 4400 {
		t.Errorf("%d rows were generated, want 4400", made.Rows)
	}
	testdb.MariaDBSQL(t, a, "SET sql_mode=''; UPDATE customer SET born = '0000-00-00' WHERE id % 20 = 3; ANALYZE TABLE customer;")
	first.Renew()
	p := measured(t, first, measure.Options{})
	fill(t, second, &dataset.Files{Spec: dataset.Spec{Seed: 2}, Profile: p})
	zero := 0
	err := second.Sample(t.Context(), measure.Query{Table: "customer", Columns: []string{"born"}}, func(r measure.Row) error {
		if string(r[0]) == "0000-00-00" {
			zero++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if zero == 0 {
		t.Error("no date is zero, and some of the original's are")
	}
	r, err := likeness.Compare(t.Context(), first, second, likeness.Options{Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	gates(t, r)
	for _, q := range r.Properties {
		if q.Counts && q.HeldScore != nil && *q.HeldScore < 0.85 {
			t.Errorf("%s: %.4f of the %d that the profile can know", q.Name, *q.HeldScore, q.Held)
		}
	}
}
