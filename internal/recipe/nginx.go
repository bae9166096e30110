package recipe

var nginx = &Recipe{
	Name:    "nginx",
	Images:  []string{"nginx", "nginxinc/nginx-unprivileged"},
	Ports:   []int{80},
	Passive: false,
}
