// Package lint holds the house rules as tests, and nothing else.
//
// layers_test.go is the table of packages, bottom up, with what each may import;
// read it as the architecture's drawing. The other files hold what no linter
// knows: who may touch the process, which packages are pure, why each dependency
// is there. A message says what to do instead, and a new package or dependency
// fails until the table says where it belongs.
//
// The tests read files themselves and start no go command: the go command caches
// a test's result and does not see what a child process has read.
package lint
