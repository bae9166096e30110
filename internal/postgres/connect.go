package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// Config is how a database is reached.
type Config struct {
	// URL is postgres://USER:PASSWORD@HOST:PORT/DATABASE, or libpq's keywords.
	URL string
	// Dial opens connections where the host of the URL cannot be reached from
	// here; nil: the network. It resolves names itself.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// StatementTimeout bounds each statement that a DB runs; 0: a minute.
	StatementTimeout time.Duration
}

// Connect opens one connection, with the application_name "rehearse" and texts in
// UTF-8. Statements are not prepared, so that poolers in front of the server do
// not mind. Its errors are [*rehearse.Error] with a hint, and never show the
// password.
func Connect(ctx context.Context, c Config) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		// The cause quotes pieces of the URL, and a password with a slash in it is one.
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the database URL %q cannot be read", redact.URL(c.URL)),
			Hint: "Write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters in the password percent-encoded.",
		}
	}
	config.RuntimeParams["application_name"] = "rehearse"
	config.RuntimeParams["client_encoding"] = "UTF8"
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	// By default pgx only hangs up, and the server goes on until it has something to send.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 2 * time.Second}
	}
	if c.Dial != nil {
		config.DialFunc = c.Dial
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(ctx, config, err)
	}
	return conn, nil
}

// connectError says what to do about a connection that was not made.
func connectError(ctx context.Context, config *pgx.ConnConfig, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("connect to PostgreSQL at %s: %w", address(config), ctx.Err())
	}
	e := &rehearse.Error{Kind: rehearse.Unavailable, Msg: "cannot connect to PostgreSQL at " + address(config), Err: err}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		e.Err = connect.Unwrap()
	}
	var server *pgconn.PgError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &server):
		e.Err = server // and not that the attempt with TLS before it failed as well
		e.Hint = refusalHint(config, server)
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &verification):
		e.Hint = "Name the certificate's authority with sslrootcert=FILE in the URL, or use the host name that the certificate is for."
	case strings.Contains(err.Error(), "server refused TLS"):
		e.Hint = "The server does not speak TLS: add sslmode=disable to the URL, if the way to it is safe."
	case strings.Contains(err.Error(), "tls"):
		e.Hint = "TLS could not be set up: check sslmode, sslrootcert, sslcert and sslkey in the URL."
	default:
		e.Hint = "Check the host and port in the URL, and that a server listens there and lets this host in."
	}
	return e
}

func refusalHint(config *pgx.ConnConfig, err *pgconn.PgError) string {
	switch err.Code {
	case "28P01":
		return fmt.Sprintf("Check the password of role %q, in the URL or in PGPASSWORD.", config.User)
	case "28000":
		if strings.Contains(err.Message, "no encryption") {
			return "The server wants TLS: add sslmode=require to the URL."
		}
		return fmt.Sprintf("Check that role %q exists and that the server's pg_hba.conf lets it in from here.", config.User)
	case "3D000":
		return "Check the database's name, the last part of the URL; psql -l lists those that there are."
	case "42501":
		return fmt.Sprintf("Let the role in: GRANT CONNECT ON DATABASE %s TO %s.", quote(config.Database), quote(config.User))
	case "53300":
		return "The server has no connection left: try again later, or raise max_connections."
	case "57P03":
		return "The server is starting up or shutting down: try again in a moment."
	}
	return "The server answered and refused: its message says why."
}

func address(config *pgx.ConnConfig) string {
	if strings.HasPrefix(config.Host, "/") {
		return config.Host
	}
	return net.JoinHostPort(config.Host, fmt.Sprint(config.Port))
}
