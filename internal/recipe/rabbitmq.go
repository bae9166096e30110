package recipe

var rabbitmq = &Recipe{
	Name:    "rabbitmq",
	Images:  []string{"rabbitmq"},
	Ports:   []int{5672},
	Passive: true,
}
