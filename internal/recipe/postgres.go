package recipe

var postgres = &Recipe{
	Name:    "postgres",
	Images:  []string{"postgres", "bitnami/postgresql", "postgis/postgis"},
	Ports:   []int{5432},
	Passive: true,
}
