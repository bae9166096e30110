// Package rehearsetest gives a Go test an environment of its own: the services of a
// Compose file, with links between them that the test shapes and breaks.
//
// [Up] brings it up, and the end of the test takes it down. What the environment is
// driven through is its HTTP API, which other languages use as well.
//
// A process that stands an environment is started again as parts of it. So a test
// binary that calls Up has a main that calls [Main]:
//
//	func TestMain(m *testing.M) { rehearsetest.Main(m) }
//
// An environment lives in the test binary and dies with it, also by SIGKILL. One
// that is [Shared] lives in a process of its own, in the background, which is the
// test binary once more: several tests and several binaries use it by its key, one
// after the other or at once, and it goes when its lease is over.
//
// Whatever goes wrong fails the test, with the error and its hint. When a test has
// failed, the last lines of every service's log are in the test's own.
package rehearsetest
