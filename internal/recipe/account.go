package recipe

import (
	"context"
	"fmt"

	"github.com/rehearse-dev/rehearse"
)

// Account is who may do everything in a service's database.
type Account struct {
	Engine                   string // "postgres", "mariadb", "mysql"
	User, Password, Database string
	Port                     int
}

// AccountOf is what the variables of a service's image say. It is an error of the
// kind Unavailable for a service that has no database, or whose account only the
// image would know.
func AccountOf(s rehearse.Service) (Account, error) {
	switch s.Recipe {
	case postgres.Name:
		a, err := postgresAccount(s)
		return Account{Engine: "postgres", User: a.user, Password: a.password, Database: a.database, Port: 5432}, err
	case mariadb.Name:
		a, err := mariadbAccountOf(s)
		if err != nil {
			return Account{}, err
		}
		if a.rootUnknown {
			return Account{}, &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("nobody knows the password of root in service %q", s.Name),
				Hint: "Set MARIADB_ROOT_PASSWORD in the Compose file.",
			}
		}
		given, err := mariadbOptions(s)
		if err != nil {
			given = nil // another driver runs what we cannot take apart
		}
		engine := "mariadb"
		if isMySQL(s) {
			engine = "mysql"
		}
		return Account{Engine: engine, User: "root", Password: a.root, Database: a.database, Port: portOf(given, 3306, "port", "P")}, nil
	}
	return Account{}, &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q is no database that rehearse knows", s.Name),
		Hint: "Datasets are for the images of PostgreSQL and MariaDB.",
	}
}

// ExecMariaDB runs statements of a text in a session of its own, up to the first
// that fails.
func ExecMariaDB(ctx context.Context, a Account, dial Dial, text string) error {
	db := openMariaDB(a.User, a.Password, a.Database, a.Port, dial)
	defer db.Close()
	_, err := db.ExecContext(ctx, text)
	return err
}
