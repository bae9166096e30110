package recipe

var mariadb = &Recipe{
	Name:    "mariadb",
	Images:  []string{"mariadb", "mysql", "bitnami/mariadb"},
	Ports:   []int{3306},
	Passive: true,
}
