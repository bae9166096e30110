package testdocker

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// run starts a container in a network of its own that nothing outside reaches. Both
// go with the test.
func run(t *testing.T, e *Engine, image string, cmd ...string) string {
	t.Helper()
	return start(t, e, &container.Config{Image: image, Cmd: cmd}, &container.HostConfig{})
}

func start(t *testing.T, e *Engine, config *container.Config, host *container.HostConfig) string {
	t.Helper()
	ctx := context.Background()
	config.Labels = map[string]string{Label + ".of": t.Name()}
	if host.NetworkMode == "" {
		host.NetworkMode = container.NetworkMode(inside(t, e))
	}
	c, err := e.Client().ContainerCreate(ctx, client.ContainerCreateOptions{Config: config, HostConfig: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = e.Client().ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	})
	if _, err := e.Client().ContainerStart(ctx, c.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// inside is an internal network, which goes with the test.
func inside(t *testing.T, e *Engine) string {
	t.Helper()
	name := "testdocker-" + rand.Text()
	if _, err := e.Client().NetworkCreate(context.Background(), name, client.NetworkCreateOptions{Driver: "bridge", Internal: true, Labels: map[string]string{Label + ".of": t.Name()}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The engine may have gone with everything in it.
		_, _ = e.Client().NetworkRemove(context.Background(), name, client.NetworkRemoveOptions{})
	})
	return name
}

func inspect(t *testing.T, e *Engine, id string) container.InspectResponse {
	t.Helper()
	c, err := e.Client().ContainerInspect(context.Background(), id, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Container
}

// ask runs a command in a container.
func ask(t *testing.T, e *Engine, id string, cmd ...string) (string, int) {
	t.Helper()
	ctx := context.Background()
	x, err := e.Client().ExecCreate(ctx, id, client.ExecCreateOptions{Cmd: cmd, AttachStdout: true, AttachStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	a, err := e.Client().ExecAttach(ctx, x.ID, client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, a.Reader); err != nil {
		t.Fatal(err)
	}
	ended, err := e.Client().ExecInspect(ctx, x.ID, client.ExecInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), ended.ExitCode
}

// until asks again and again until a command succeeds, or the container has ended.
func until(t *testing.T, e *Engine, id string, cmd ...string) string {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		if state := inspect(t, e, id).State; !state.Running {
			t.Fatalf("the container has ended with %d:\n%s", state.ExitCode, logs(t, e, id))
		}
		out, code := ask(t, e, id, cmd...)
		if code == 0 {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q still says %d: %s\n%s", cmd, code, out, logs(t, e, id))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func logs(t *testing.T, e *Engine, id string) string {
	t.Helper()
	l, err := e.Client().ContainerLogs(context.Background(), id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, l); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return out.String()
}

// exit waits until a container has ended.
func exit(t *testing.T, e *Engine, id string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w := e.Client().ContainerWait(ctx, id, client.ContainerWaitOptions{})
	select {
	case ended := <-w.Result:
		return ended.StatusCode
	case err := <-w.Error:
		t.Fatal(err)
	}
	return 0
}

// initFiles is a directory of scripts, as it is mounted.
func initFiles(t *testing.T, at string, scripts map[string]string) *container.HostConfig {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &container.HostConfig{Binds: []string{dir + ":" + at + ":ro"}}
}

func TestProgram(t *testing.T) {
	e := Start(t)
	id := run(t, e, e.Program(t), ProgramPath, "drivertest-program", "serve", "8080")
	if got := until(t, e, id, "sh", "-c", "echo hostname | nc 127.0.0.1 8080"); !strings.HasPrefix(id, got) || got == "" {
		t.Errorf("the program says that its host is %q, want the beginning of %s", got, id)
	}
	if out, code := ask(t, e, id, "sh", "-c", "(setsid sleep 3600 </dev/null >/dev/null 2>&1 &)"); code != 0 {
		t.Errorf("a program cannot detach: %s", out)
	}
}

func TestSecondCallMakesNothing(t *testing.T) {
	e := Start(t)
	name := e.Program(t)
	was := e.idOf(t, name)
	if again := e.Program(t); again != name || e.idOf(t, again) != was || was == "" {
		t.Errorf("the second image is %s with ID %s, want %s with ID %s", again, e.idOf(t, again), name, was)
	}
	if left := e.Leftovers(t, Label+"=1"); !strings.Contains(strings.Join(left, "\n"), name) {
		t.Errorf("what carries our label is %q, want %s among it", left, name)
	}
}

func TestAs(t *testing.T) {
	e := Start(t)
	image := e.Program(t)
	const name = "rehearse.test/called:otherwise"
	t.Run("uses", func(t *testing.T) {
		e.As(t, image, name)
		t.Run("again", func(t *testing.T) { e.As(t, image, name) })
		if got, want := e.idOf(t, name), e.idOf(t, image); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	})
	if id := e.idOf(t, name); id != "" {
		t.Errorf("%s is still %s, although no test uses it", name, id)
	}
}

func TestPostgres(t *testing.T) {
	e := Start(t)
	image := e.Postgres(t)
	host := initFiles(t, "/docker-entrypoint-initdb.d", map[string]string{
		"1.sql": "CREATE TABLE a (n int); INSERT INTO a VALUES (42);",
		"2.sh":  `psql -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "UPDATE a SET n = n + 1"`,
	})
	id := start(t, e, &container.Config{Image: image, Env: []string{"POSTGRES_PASSWORD=it's secret", "POSTGRES_USER=ann", "POSTGRES_DB=shop", "POSTGRES_INITDB_ARGS=--no-sync --wal-segsize=1"}, Cmd: []string{"-c", "fsync=off"}}, host)
	until(t, e, id, "sh", "-c", "pg_isready -h $(hostname -i)")
	const question = `PGPASSWORD="$1" psql -h $(hostname -i) -U ann -d shop -Atc "SELECT n, current_setting('fsync') FROM a"`
	if got, code := ask(t, e, id, "sh", "-c", question, "sh", "it's secret"); got != "43|off" || code != 0 {
		t.Errorf("the database says %q (%d), want %q\n%s", got, code, "43|off", logs(t, e, id))
	}
	if got, code := ask(t, e, id, "sh", "-c", question, "sh", "wrong"); code != 2 || !strings.Contains(got, "password authentication failed") {
		t.Errorf("to a wrong password it says %q (%d)", got, code)
	}
	if got, _ := ask(t, e, id, "ps", "-o", "user,args"); !strings.Contains(got, "postgres postgres -c fsync=off") {
		t.Errorf("processes are\n%s\nwant the server as the user postgres", got)
	}
	if got := inspect(t, e, id).Config.StopSignal; got != "SIGINT" {
		t.Errorf("the signal that stops it is %q, want SIGINT", got)
	}
	if _, err := e.Client().ContainerRestart(context.Background(), id, client.ContainerRestartOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, e, id, "pg_isready", "-h", "127.0.0.1")
	if got, _ := ask(t, e, id, "psql", "-U", "ann", "-d", "shop", "-Atc", "SELECT n FROM a"); got != "43" {
		t.Errorf("after a restart the database says %q, want 43", got)
	}
}

func TestPostgresAsksForItsPassword(t *testing.T) {
	e := Start(t)
	image := e.Postgres(t)
	id := run(t, e, image)
	if code := exit(t, e, id); code != 1 || !strings.Contains(logs(t, e, id), "superuser password is not specified") {
		t.Errorf("without a password it ends with %d and says\n%s", code, logs(t, e, id))
	}
}

func TestRedis(t *testing.T) {
	e := Start(t)
	id := run(t, e, e.Redis(t), "--requirepass", "secret", "--appendonly", "yes")
	if got := until(t, e, id, "sh", "-c", "redis-cli -h $(hostname -i) --no-auth-warning -a secret -e PING"); got != "PONG" {
		t.Errorf("Redis says %q, want PONG", got)
	}
	if got, _ := ask(t, e, id, "redis-cli", "PING"); !strings.Contains(got, "NOAUTH") {
		t.Errorf("without the password Redis says %q, want NOAUTH", got)
	}
	if got, _ := ask(t, e, id, "redis-cli", "--no-auth-warning", "-a", "secret", "CONFIG", "GET", "protected-mode"); got != "protected-mode\nno" {
		t.Errorf("others are let in by %q, want protected-mode no", got)
	}
	if got, _ := ask(t, e, id, "stat", "-c", "%U", "/data/appendonlydir"); got != "redis" {
		t.Errorf("its data is %s's, want redis's", got)
	}
}

func TestMariaDB(t *testing.T) {
	e := Start(t)
	image := e.MariaDB(t)
	host := initFiles(t, "/docker-entrypoint-initdb.d", map[string]string{"1.sql": "CREATE TABLE a (n int); INSERT INTO a VALUES (42);"})
	id := start(t, e, &container.Config{Image: image, Env: []string{"MARIADB_ROOT_PASSWORD=it's secret", "MARIADB_DATABASE=shop", "MARIADB_USER=ann", "MARIADB_PASSWORD=hers"}}, host)
	until(t, e, id, "healthcheck.sh", "--connect", "--innodb_initialized")
	if got, code := ask(t, e, id, "sh", "-c", "mariadb -h $(hostname -i) -uann -phers -Ne 'SELECT n FROM a' shop"); got != "42" || code != 0 {
		t.Errorf("the database says %q (%d), want 42\n%s", got, code, logs(t, e, id))
	}
	if got, code := ask(t, e, id, "sh", "-c", "mariadb -h $(hostname -i) -uann -pwrong -Ne 'SELECT 1'"); code == 0 {
		t.Errorf("a wrong password is let in, and answered %q", got)
	}
	id = run(t, e, image)
	if code := exit(t, e, id); code != 1 || !strings.Contains(logs(t, e, id), "password option is not specified") {
		t.Errorf("without a password it ends with %d and says\n%s", code, logs(t, e, id))
	}
}

func TestGo(t *testing.T) {
	e := Start(t)
	id := run(t, e, e.Go(t, "program", "app", container.Config{User: "nobody"}), "drivertest-program", "serve", "8080")
	if got := until(t, e, id, "sh", "-c", "echo env HOME | nc 127.0.0.1 8080 && ps -o user,args"); !strings.Contains(got, "nobody   app drivertest-program") {
		t.Errorf("its processes are\n%s\nwant the program as nobody", got)
	}
	if got, code := ask(t, e, id, "sh", "-c", "httpd -p 8081 -h /etc && curl -fsS http://localhost:8081/nsswitch.conf"); !strings.Contains(got, "hosts:") || code != 0 {
		t.Errorf("curl gets %q and ends with %d", got, code)
	}
	if got, code := ask(t, e, id, "curl", "-fsS", "http://localhost:8081/nothing"); code == 0 {
		t.Errorf("curl gets %q and ends with 0, although there is nothing", got)
	}
}
