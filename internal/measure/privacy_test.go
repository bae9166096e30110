package measure

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Nothing that is particular to a row, a person or an account may get into the
// file, whatever column it stands in. Markers are planted once, nineteen times
// (one below K), and, where they are personal or secret, in most rows.
func TestCanaries(t *testing.T) {
	personal := []string{
		"jane.canary@mail.example", "+49 30 901820", "DE89370400440532013000", "4111 1111 1111 1111", "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.c2ln",
		"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "9f86d081884c7d659a2feaa0c55ad015", "203.0.113.77", "https://canary:hunter2@db.example/x", "Maria Canaria",
		"the patient Canary was seen again on the ward by two nurses", "AKIAIOSFODNN7CANARY0", "$2a$10$N9qo8uLOickgx2ZMRZoMye", "123-45-6789",
	}
	all := []string{"text", "other", "texts", "json", "enum", "int", "num", "float", "bytes", "date", "ts", "time", "uuid", "inet", "range", "bool"}
	rare := map[string]func(i int) string{
		"text":  func(i int) string { return fmt.Sprintf("kanari%dvogel", i) },
		"other": func(i int) string { return fmt.Sprintf("<kanari%d/>", i) },
		"texts": func(i int) string { return fmt.Sprintf(`{kanari%dvogel,"kanari %d"}`, i, i) },
		"json": func(i int) string {
			return fmt.Sprintf(`{"kanari%dkey":"kanari%dvogel","list":[{"deep":"kanari%ddeep"}],"n":77%d77.25}`, i, i, i, i)
		},
		"enum":  func(i int) string { return "happy" },
		"int":   func(i int) string { return fmt.Sprintf("77%04d7", i) },
		"num":   func(i int) string { return fmt.Sprintf("77%04d7.25", i) },
		"float": func(i int) string { return fmt.Sprintf("77%04d7.125", i) },
		"bytes": func(i int) string { return fmt.Sprintf(`\x77%04d77`, i) },
		"date":  func(i int) string { return fmt.Sprintf("2017-07-%02d", i%28+1) },
		"ts":    func(i int) string { return fmt.Sprintf("2017-07-%02d 07:17:37+00", i%28+1) },
		"time":  func(i int) string { return fmt.Sprintf("07:17:%02d", i%60) },
		"uuid":  func(i int) string { return fmt.Sprintf("7777%04d-7777-4777-8777-777777777777", i) },
		"inet":  func(i int) string { return fmt.Sprintf("198.51.100.%d", i%250) },
		"range": func(i int) string { return fmt.Sprintf("[77%04d,88%04d)", i, i) },
		"bool":  func(i int) string { return "t" },
	}
	for _, copies := range []int{1, 19} {
		for _, size := range []int{10, 500} {
			var columns []string
			for _, k := range all {
				columns = append(columns, "c_"+k+" "+k)
			}
			for i := range personal {
				columns = append(columns, fmt.Sprintf("p%d text", i), fmt.Sprintf("j%d json", i), fmt.Sprintf("a%d texts", i))
			}
			m := newMemory(table("t", append([]string{"id int"}, columns...)...))
			for r := range size {
				row := []string{fmt.Sprint(r)}
				for _, k := range all {
					row = append(row, rare[k](r/copies))
				}
				for _, p := range personal {
					row = append(row, p, fmt.Sprintf(`{"v":%q}`, p), fmt.Sprintf("{%q}", p))
				}
				m.insert("t", row...)
			}
			m.statements = []profile.DataStatement{{SQL: "SELECT 'kanarivogel'"}, {SQL: "ALTER ROLE kanari PASSWORD x"}, {SQL: "SELECT $1 FROM t"}}
			got := written(t, mustProfile(t, m.analyze(), Options{}))
			for _, p := range append(slices.Clone(personal), "kanari", "Kanari", "KANARI") {
				if strings.Contains(got, p) {
					t.Errorf("%d copies in %d rows: %q is in the profile", copies, size, p)
				}
			}
			d, err := profile.ParseData("t.data.yaml", []byte(got))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range d.Tables[0].Columns {
				for _, v := range c.Values {
					if c.Type != "boolean" && c.Type != "mood" {
						t.Errorf("%d copies in %d rows: column %s lists %q, which no %d rows hold or which is private", copies, size, c.Name, v.Value, d.Privacy.K)
					}
				}
			}
			if len(d.Statements) != 1 {
				t.Errorf("got %+v, want the one statement without literals", d.Statements)
			}
		}
	}
}

// The same markers do get in where they are held by enough rows and tell nothing:
// the test above would not notice if nothing ever did.
func TestCommonValuesAreListed(t *testing.T) {
	m := newMemory(table("t", "id int", "kind text", "tags texts", "doc json", "n int"))
	for i := range 100 {
		m.insert("t", fmt.Sprint(i), "kanari", "{kanari,red}", `{"state":"kanari","n":3}`, "7")
	}
	got := mustProfile(t, m.analyze(), Options{}).Tables[0]
	for name, want := range map[string][]profile.DataValue{
		"kind": {{Value: "kanari", Share: 1}},
		"n":    {{Value: "7", Share: 1}},
	} {
		if diff := cmp.Diff(want, columnOf(t, &got, name).Values); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]profile.DataValue{{Value: "kanari", Share: 0.5}, {Value: "red", Share: 0.5}}, columnOf(t, &got, "tags").Array.Item.Values); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	keys := columnOf(t, &got, "doc").JSON.Keys
	if len(keys) != 2 || keys[1].Name != "state" || len(keys[1].Value.Values) != 1 || keys[1].Value.Values[0].Value != "kanari" {
		t.Errorf("doc: got %+v, want the keys n and state with its value", keys)
	}
}

func TestPublicValues(t *testing.T) {
	tab := table("t", "id int", "state text", "size text", "n int", "mood enum", "flag bool", "other text")
	tab.Columns[1].Default = "'new'::text"
	tab.Columns[3].Default = "(-1)"
	tab.Checks = []schema.Check{
		{Expr: "((state)::text = ANY ((ARRAY['open'::character varying, 'it''s'::character varying])::text[]))"},
		{Expr: "size = ANY ('{s,m,\"l\"}'::text[])"},
		{Expr: "(n = ANY (ARRAY[5, 6]))"},
		{Expr: "`other` in ('x','y')"},
	}
	tab.Columns[2].Type.Checks = []schema.Check{{Expr: "(VALUE = ANY (ARRAY['xl'::text]))"}}
	for name, want := range map[string][]string{
		"id": nil, "state": {"it's", "new", "open"}, "size": {"l", "m", "s", "xl"}, "n": {"-1", "5", "6"}, "mood": {"happy", "sad"},
		"flag": {"0", "1", "f", "false", "t", "true"}, "other": {"x", "y"},
	} {
		c, _ := tab.Column(name)
		var got []string
		for v := range publicValues(tab, c) {
			got = append(got, v)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	m := newMemory(tab)
	m.insert("t", "1", "open", "s", "5", "sad", "t", "kanari")
	got := written(t, mustProfile(t, m.analyze(), Options{}))
	if !strings.Contains(got, "{open: 1}") || !strings.Contains(got, "{sad: 1}") || strings.Contains(got, "kanari") {
		t.Errorf("got\n%s\nwant open and sad, and nothing of what the schema does not name", got)
	}
}

func TestPrivate(t *testing.T) {
	for value, want := range map[string]string{
		"a@b.example":                        "personal: email",
		"Jane <jane@b.example>":              "personal: email",
		"(415) 555-2671":                     "personal: phone",
		"+44 20 7946 0958":                   "personal: phone",
		"GB82 WEST 1234 5698 7654 32":        "personal: iban",
		"4111111111111111":                   "personal: card number",
		"card 4111-1111-1111-1111":           "personal: card number",
		"4111111111111112":                   "",
		"8.8.8.8":                            "personal: address of a host",
		"2001:db8::1":                        "personal: address of a host",
		"127.0.0.1":                          "",
		"10.0.0.1/8":                         "",
		"255.255.255.0":                      "",
		"ghp_16C7e42F292c6912E7710c838347Ae": "secret: credential",
		"ssh-ed25519 AAAAC3NzaC1lZDI1":       "secret: credential",
		"glpat-canary":                       "secret: credential",
		"{SSHA}canary":                       "secret: credential",
		"d41d8cd98f00b204e9800998ecf8427e":   "secret: key",
		"Anna Schmidt":                       "personal: name",
		"Schmidt, Anna":                      "personal: name",
		"New York":                           "",
		"in_progress":                        "",
		"awaiting-customer-confirmation":     "",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "",
		"2026-11-22 14:00:00":                   "",
		"Europe/Berlin":                         "",
		"1.3.6.1.2.1.1.1.0":                     "",
		"please call me back when you are home": "free text",
	} {
		if got := private(value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

// A column whose name alone says that it is private lists nothing, nor does what
// stands below a private key of a document.
func TestPrivateNames(t *testing.T) {
	m := newMemory(table("t", "id int", "patient_diagnosis text", "salary int", "diagnoses json", "doc json", "blood_group texts", "color text"))
	for i := range 100 {
		m.insert("t", fmt.Sprint(i), "kanari", "77777", `[{"code":"kanari"}]`, `{"health":{"seen":{"state":"kanari"}},"state":"open"}`, "{kanari}", "red")
	}
	p := mustProfile(t, m.analyze(), Options{})
	if got := written(t, p); strings.Contains(got, "kanari") || !strings.Contains(got, "{red: 1}") || !strings.Contains(got, "{open: 1}") {
		t.Errorf("got\n%s\nwant red and open, and nothing of what is private", got)
	}
	for _, name := range []string{"patient_diagnosis", "salary", "diagnoses", "blood_group"} {
		if c := columnOf(t, &p.Tables[0], name); c.Private == "" || len(c.Values) > 0 {
			t.Errorf("column %s: got private %q and the values %v", name, c.Private, c.Values)
		}
	}
}
