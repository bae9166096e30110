package postgres_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestConnectErrors(t *testing.T) {
	good := testdb.Postgres(t)
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, test := range []struct {
		name, url string
		kind      rehearse.Kind
		says      []string // the message, or the hint
	}{
		{"nobody listens", "postgres://me:s3cret@" + closed.Addr().String() + "/db", rehearse.Unavailable, []string{closed.Addr().String(), "host and port"}},
		{"no database", "postgres://postgres:s3cret@" + u.Host + "/nowhere?sslmode=disable", rehearse.Unavailable, []string{`"nowhere" does not exist`, "psql -l"}},
		{"no role", "postgres://nobody_here:s3cret@" + u.Host + "/postgres?sslmode=disable", rehearse.Unavailable, []string{`"nobody_here"`, "pg_hba.conf"}},
		{"no TLS", "postgres://postgres:s3cret@" + u.Host + "/postgres?sslmode=require", rehearse.Unavailable, []string{"refused TLS", "sslmode=disable"}},
		{"no URL", "postgres://me:s3cret/x@host:port/db", rehearse.Invalid, []string{"cannot be read", "percent-encoded"}},
		{"no such setting", "host=127.0.0.1 password=s3cret sslmode=perhaps", rehearse.Invalid, []string{"cannot be read"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := postgres.Open(t.Context(), test.url)
			var e *rehearse.Error
			if !errors.As(err, &e) || e.Kind != test.kind {
				t.Fatalf("got the error %v, want one of kind %v", err, test.kind)
			}
			all := e.Error() + "\n" + e.Hint
			for _, want := range test.says {
				if !strings.Contains(all, want) {
					t.Errorf("got %q, want %q in it", all, want)
				}
			}
			if strings.Contains(all, "s3cret") {
				t.Errorf("%q shows the password", all)
			}
			if !strings.HasSuffix(e.Hint, ".") {
				t.Errorf("the hint %q is no sentence", e.Hint)
			}
		})
	}
}

func TestConnectThroughAFunction(t *testing.T) {
	u, err := url.Parse(testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	u.Host = "db.inside:5432"
	var asked string
	db, err := postgres.OpenWith(t.Context(), postgres.Config{URL: u.String(), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = address
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if asked != "db.inside:5432" {
		t.Errorf("the function was asked for %q, want the address in the URL", asked)
	}
	catalog(t, db)
}

func TestConnect(t *testing.T) {
	c := postgres.Config{URL: testdb.Postgres(t)}
	conn, err := postgres.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var got string
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('application_name') || ' ' || current_setting('client_encoding')").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "rehearse UTF8"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := postgres.Connect(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
