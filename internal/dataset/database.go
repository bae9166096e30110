package dataset

import (
	"context"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/mysql"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/redact"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// ErrNotEmpty is in the error of a load into tables that have rows.
var ErrNotEmpty = rows.ErrNotEmpty

// Database is a database of a known engine.
type Database interface {
	measure.Source
	// Catalog reads the schema anew.
	Catalog(ctx context.Context) (*schema.Schema, error)
	// Renew lets samples see what has changed since the first.
	Renew()
	// Load fills the schema's tables, see [load.Load]. Samples see the rows.
	Load(ctx context.Context, o load.Options, d rows.Dataset) (load.Report, error)
	// Repair undoes a load that was cut short, see [load.Repair]. It reports whether
	// there was anything to do.
	Repair(ctx context.Context) (bool, error)
	Close()
}

// Dial opens a connection to a database that the network does not lead to.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Open connects to a database by its URL, and reads its schema. dial may be nil.
func Open(ctx context.Context, url string, dial Dial) (Database, error) {
	switch scheme, _, _ := strings.Cut(url, "://"); scheme {
	case "postgres", "postgresql":
		config := postgres.Config{URL: url, Dial: dial}
		db, err := postgres.OpenWith(ctx, config)
		if err != nil {
			return nil, err
		}
		if _, err := db.Catalog(ctx); err != nil {
			db.Close()
			return nil, err
		}
		return &postgresDatabase{db, config}, nil
	case "mysql", "mariadb":
		db, err := mysql.OpenWith(ctx, mysql.Config{URL: url, Dial: dial})
		if err != nil {
			return nil, err
		}
		if _, err := db.Catalog(ctx); err != nil {
			db.Close()
			return nil, err
		}
		return &mysqlDatabase{db}, nil
	}
	return nil, &rehearse.Error{
		Kind: rehearse.Invalid, Msg: "this is no URL of a database that rehearse speaks to: " + redact.URL(url),
		Hint: "Write postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://USER:PASSWORD@HOST:PORT/DATABASE.",
	}
}

type postgresDatabase struct {
	*postgres.DB
	config postgres.Config
}

func (d *postgresDatabase) Load(ctx context.Context, o load.Options, set rows.Dataset) (load.Report, error) {
	defer d.Renew()
	o.Connect = d.connect
	return load.Load(ctx, o, set)
}

func (d *postgresDatabase) Repair(ctx context.Context) (bool, error) {
	return load.Repair(ctx, d.connect)
}

func (d *postgresDatabase) connect(ctx context.Context) (*pgx.Conn, error) {
	return postgres.Connect(ctx, d.config)
}

type mysqlDatabase struct{ *mysql.DB }

func (d *mysqlDatabase) Load(ctx context.Context, o load.Options, set rows.Dataset) (load.Report, error) {
	defer d.Renew()
	return d.DB.Load(ctx, mysql.Options{
		Connections: o.Connections, Truncate: o.Truncate, FireTriggers: o.FireTriggers, IndexRows: o.IndexRows, Progress: o.Progress,
	}, set)
}
