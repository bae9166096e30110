package mysql

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/redact"
)

// Config is how a database is reached.
type Config struct {
	// URL is mysql://USER:PASSWORD@HOST:PORT/DATABASE, or mariadb://. Its query may
	// have tls=true, false, skip-verify or preferred, the last being the default,
	// and socket=PATH, which takes the place of host and port.
	URL string
	// Dial opens connections where the host of the URL cannot be reached from
	// here; nil: the network. It resolves names itself.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// StatementTimeout bounds each statement that reads; 0: a minute.
	StatementTimeout time.Duration
}

// parse makes the driver's configuration of a URL.
func (c Config) parse() (*driver.Config, error) {
	bad := func(msg, hint string) (*driver.Config, error) {
		// The cause quotes pieces of the URL, and a password with a slash in it is one.
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the database URL %q %s", redact.URL(c.URL), msg), Hint: hint}
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "mysql" && u.Scheme != "mariadb" || u.Opaque != "" {
		return bad("cannot be read", "Write it as mysql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters in the password percent-encoded.")
	}
	config := driver.NewConfig()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	if config.DBName == "" {
		return bad("names no database", "Put the database's name at the end of the URL, behind the host and a slash.")
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Net, config.Addr = "tcp", net.JoinHostPort(orElse(u.Hostname(), "127.0.0.1"), orElse(u.Port(), "3306"))
	config.TLSConfig = "preferred"
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "tls":
			if value != "true" && value != "false" && value != "skip-verify" && value != "preferred" {
				return bad("has a tls that is not known", "Set tls to true, false, skip-verify or preferred.")
			}
			config.TLSConfig = value
		case "socket":
			config.Net, config.Addr = "unix", value
		default:
			return bad("has an option that is not known", "Only tls and socket may stand behind the question mark.")
		}
	}
	config.Logger = &driver.NopLogger{} // errors are returned
	config.InterpolateParams = true
	config.Collation = "utf8mb4_general_ci"
	config.ConnectionAttributes = "program_name:rehearse"
	config.Timeout = 30 * time.Second
	config.DialFunc = c.Dial
	return config, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// pool opens connections that are closed when they are no longer used.
func (c Config) pool() (*sql.DB, *driver.Config, error) {
	config, err := c.parse()
	if err != nil {
		return nil, nil, err
	}
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the database URL %q cannot be used", redact.URL(c.URL)), Err: err, Hint: "Check the options in the URL."}
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxIdleConns(0)
	return pool, config, nil
}

// session opens a connection and runs statements that set it up.
func (db *DB) session(ctx context.Context, settings ...string) (*session, error) {
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return nil, connectError(ctx, db.address, err)
	}
	s := &session{conn: conn}
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&s.id); err != nil {
		s.close()
		return nil, fmt.Errorf("set up a session: %w", err)
	}
	for _, setting := range settings {
		if err := s.exec(ctx, setting); err != nil {
			s.close()
			return nil, fmt.Errorf("set up a session: %s: %w", setting, err)
		}
	}
	return s, nil
}

// connectError says what to do about a connection that was not made.
func connectError(ctx context.Context, config *driver.Config, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("connect to the database at %s: %w", config.Addr, ctx.Err())
	}
	e := &rehearse.Error{Kind: rehearse.Unavailable, Msg: "cannot connect to the database at " + config.Addr, Err: err}
	var server *driver.MySQLError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &server):
		e.Hint = refusalHint(config, server)
	case errors.As(err, &verification):
		e.Hint = "Use the host name that the certificate is for, or add tls=skip-verify to the URL, if the way to the server is safe."
	case errors.Is(err, driver.ErrNoTLS):
		e.Hint = "The server does not speak TLS: add tls=false to the URL, if the way to it is safe."
	default:
		e.Hint = "Check the host and port in the URL, and that a server listens there and lets this host in."
	}
	return e
}

func refusalHint(config *driver.Config, err *driver.MySQLError) string {
	switch err.Number {
	case 1045, 1698:
		return fmt.Sprintf("Check the password of user %q in the URL, and that the user may connect from this host.", config.User)
	case 1044:
		return fmt.Sprintf("Let the user in: GRANT SELECT ON %s.* TO it.", quote(config.DBName))
	case 1049:
		return "Check the database's name, the last part of the URL; SHOW DATABASES lists those that there are."
	case 1040, 1203, 1226:
		return "The server has no connection left: try again later, or raise max_connections."
	case 1130:
		return "The server lets nobody in from this host: create the user for it, as in 'user'@'%'."
	case 3159:
		return "The server wants TLS: add tls=true to the URL."
	case 1053:
		return "The server is shutting down: try again in a moment."
	}
	return "The server answered and refused: its message says why."
}
