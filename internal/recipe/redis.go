package recipe

var redis = &Recipe{
	Name:    "redis",
	Images:  []string{"redis", "valkey/valkey", "redis/redis-stack-server", "bitnami/redis"},
	Ports:   []int{6379},
	Passive: true,
}
