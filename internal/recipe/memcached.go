package recipe

var memcached = &Recipe{
	Name:    "memcached",
	Images:  []string{"memcached"},
	Ports:   []int{11211},
	Passive: true,
}
