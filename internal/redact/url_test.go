package redact_test

import (
	"testing"

	"github.com/rehearse-dev/rehearse/internal/redact"
)

func TestURL(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"postgres://me@host/db", "postgres://me@host/db"},
		// This may be the role "host" with a password that holds a slash.
		{"postgres://host:5432/db?options=a@b", "postgres://host:xxxxx@b"},
		{"postgres://me:pw@host:5432/db?sslmode=disable", "postgres://me:xxxxx@host:5432/db?sslmode=disable"},
		{"postgres://me:pw@host/db?application_name=a@b", "postgres://me:xxxxx@host/db?application_name=a@b"},
		{"postgres://me:p%40w@host/db", "postgres://me:xxxxx@host/db"},
		{"postgres://me:p@w@host/db", "postgres://me:xxxxx@host/db"},
		{"postgres://me:p/w@host/db", "postgres://me:xxxxx@host/db"},
		{"postgres://me:12?pw@host/db", "postgres://me:xxxxx@host/db"},
		{"postgres://me:p%zw@host/db", "postgres://me:xxxxx@host/db"},
		{"postgres://host/db?user=me&password=pw&sslmode=require", "postgres://host/db?user=me&password=xxxxx&sslmode=require"},
		{"postgres://host/db?sslpassword=pw", "postgres://host/db?sslpassword=xxxxx"},
		{"host=h password=pw dbname=d", "host=h password=xxxxx dbname=d"},
		{`host=h password = 'p w\'x' dbname=d`, "host=h password = xxxxx dbname=d"},
		{"mysql://a:se/cr@et@h/d", "mysql://a:xxxxx@h/d"},
		{"mysql://h/d", "mysql://h/d"},
		{"h", "h"},
		{"mysql://root:pw@127.0.0.1:3306/db", "mysql://root:xxxxx@127.0.0.1:3306/db"},
	} {
		if got := redact.URL(test.url); got != test.want {
			t.Errorf("URL(%q) = %q, want %q", test.url, got, test.want)
		}
	}
}
