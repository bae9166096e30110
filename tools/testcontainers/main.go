// Testcontainers starts docgen, a program and its PostgreSQL, with
// testcontainers-go as its documentation says to, and takes both down again: a peer
// that the benchmarks of containers measure against. It prints one line of JSON:
// the milliseconds until docgen has answered over its published port, and those
// until all is gone. What one run needs besides DOCKER_HOST are images:
//
//	testcontainers -db postgres:15 -app docgen:dev -init examples/docgen/db/init
//
// There is no Ryuk, whose image would have to be there and whose start would count.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

func main() {
	db := flag.String("db", "postgres:15", "PostgreSQL's `image`")
	app := flag.String("app", "docgen:dev", "docgen's `image`")
	scripts := flag.String("init", "", "a `directory` of scripts that make docgen's database")
	flag.Parse()
	// In a container it would look for published ports at the gateway.
	os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	log.SetDefault(log.NewNoopLogger())
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := measure(ctx, *db, *app, *scripts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, db, app, scripts string) error {
	began := time.Now()
	down, err := up(ctx, db, app, scripts)
	ready := time.Now()
	if err := errors.Join(err, down(ctx)); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"ready_ms": milliseconds(ready.Sub(began)), "teardown_ms": milliseconds(time.Since(ready))})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// up starts both, and gives what ends whatever it has started, after an error too.
func up(ctx context.Context, db, app, scripts string) (down func(context.Context) error, err error) {
	var started []testcontainers.Container
	var net *testcontainers.DockerNetwork
	down = func(ctx context.Context) error {
		var errs []error
		for _, c := range started {
			errs = append(errs, testcontainers.TerminateContainer(c, testcontainers.StopContext(ctx), testcontainers.StopTimeout(0)))
		}
		if net != nil {
			errs = append(errs, net.Remove(ctx))
		}
		return errors.Join(errs...)
	}
	if net, err = network.New(ctx); err != nil {
		return down, err
	}
	files, err := initFiles(scripts)
	if err != nil {
		return down, err
	}
	c, err := testcontainers.Run(ctx, db,
		network.WithNetwork([]string{"db"}, net),
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": "docgen", "POSTGRES_PASSWORD": "docgen", "POSTGRES_DB": "docgen"}),
		testcontainers.WithFiles(files...),
		testcontainers.WithExposedPorts("5432/tcp"),
		// As its module for PostgreSQL waits: the first server is that of the init files.
		testcontainers.WithWaitStrategyAndDeadline(time.Minute, wait.ForLog("database system is ready to accept connections").WithOccurrence(2), wait.ForListeningPort("5432/tcp")))
	if c != nil {
		started = append(started, c)
	}
	if err != nil {
		return down, err
	}
	c, err = testcontainers.Run(ctx, app,
		network.WithNetwork([]string{"docgen"}, net),
		testcontainers.WithEnv(map[string]string{"DATABASE_URL": "postgres://docgen:docgen@db:5432/docgen?sslmode=disable", "DATA_LAYER": "legacy", "POOL_SIZE": "8"}),
		testcontainers.WithExposedPorts("8080/tcp"),
		testcontainers.WithWaitStrategyAndDeadline(time.Minute, wait.ForHTTP("/healthz").WithPort("8080/tcp")))
	if c != nil {
		started = append([]testcontainers.Container{c}, started...)
	}
	return down, err
}

// initFiles are the files of a directory, to be copied before the first start.
func initFiles(dir string) ([]testcontainers.ContainerFile, error) {
	if dir == "" {
		return nil, nil
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	var files []testcontainers.ContainerFile
	for _, path := range found {
		files = append(files, testcontainers.ContainerFile{HostFilePath: path, ContainerFilePath: "/docker-entrypoint-initdb.d/" + filepath.Base(path), FileMode: 0o755})
	}
	return files, nil
}
