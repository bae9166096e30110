package recipe

var nats = &Recipe{
	Name:    "nats",
	Images:  []string{"nats"},
	Ports:   []int{4222},
	Passive: true,
}
