package recipe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestAccountOf(t *testing.T) {
	for _, test := range []struct {
		name string
		s    rehearse.Service
		want Account
		kind rehearse.Kind // of the error, where there is one
	}{
		{"postgres", rehearse.Service{Recipe: "postgres", Env: map[string]string{"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "secret"}},
			Account{Engine: "postgres", User: "shop", Password: "secret", Database: "shop", Port: 5432}, 0},
		{"mariadb", rehearse.Service{Recipe: "mariadb", Image: "mariadb:10.11", Command: []string{"--port=3307"}, Env: map[string]string{"MARIADB_ROOT_PASSWORD": "secret", "MARIADB_DATABASE": "wiki"}},
			Account{Engine: "mariadb", User: "root", Password: "secret", Database: "wiki", Port: 3307}, 0},
		{"mysql", rehearse.Service{Recipe: "mariadb", Image: "mysql:8", Env: map[string]string{"MYSQL_ROOT_PASSWORD": "secret"}},
			Account{Engine: "mysql", User: "root", Password: "secret", Port: 3306}, 0},
		{"root of MariaDB has a random password", rehearse.Service{Recipe: "mariadb", Env: map[string]string{"MARIADB_RANDOM_ROOT_PASSWORD": "1"}}, Account{}, rehearse.Unavailable},
		{"no database", rehearse.Service{Recipe: "redis"}, Account{}, rehearse.Unavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := AccountOf(test.s)
			if test.want == (Account{}) {
				if rehearse.KindOf(err) != test.kind {
					t.Errorf("got %v, want an error of kind %v", err, test.kind)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
