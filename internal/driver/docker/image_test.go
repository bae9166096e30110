package docker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/registry"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

func TestImageIsPulledOnce(t *testing.T) {
	e := testEngine(t)
	r := testdocker.Start(t).Registry(t)
	s := rehearse.Service{Name: "web", Image: r.Host + "/app:1"}
	removeImage(t, e, s.Image)
	var progress lines
	var all sync.WaitGroup
	got := make([]image, 3)
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = e.image(t.Context(), s, "", &progress); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	if r.Pulls() != 1 {
		t.Errorf("the registry gave the image %d times, want once", r.Pulls())
	}
	want := image{
		ID: got[0].ID, Ref: s.Image, Digest: r.Digest, Size: got[0].Size,
		Config: imageConfig{
			Entrypoint: []string{"/content"}, Cmd: []string{"x"}, Env: []string{"A=1"}, User: "7", WorkingDir: "/w", StopSignal: "SIGINT",
			Ports: []int{80}, Volumes: []string{"/data"},
		},
	}
	for _, g := range got {
		if diff := cmp.Diff(want, g); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	// An engine that keeps images in containerd counts them packed and unpacked, in blocks.
	if want.Size < 26 {
		t.Errorf("it has %d bytes, want at least the 26 of its layer's file", want.Size)
	}
	if text := progress.String(); strings.Count(text, "pulled "+s.Image+": ") != 1 {
		t.Errorf("progress is %q, want one line that says pulled", text)
	}

	// What is there is asked for again by "always", once.
	for range 2 {
		if _, err := e.image(t.Context(), s, pullAlways, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	fresh := testEngine(t)
	if _, err := fresh.image(t.Context(), s, pullAlways, io.Discard); err != nil {
		t.Fatal(err)
	}
	if r.Pulls() > 2 { // the engine may know without the manifest that nothing changed
		t.Errorf("the registry gave the image %d times, want at most twice", r.Pulls())
	}

	// By its digest, it is the same.
	s.Image = r.Host + "/app@" + r.Digest
	pinned, err := e.image(t.Context(), s, pullNever, io.Discard)
	if err != nil || pinned.ID != got[0].ID || pinned.Digest != r.Digest {
		t.Errorf("by digest: got %+v, %v", pinned, err)
	}
	// By its ID too.
	s.Image = got[0].ID
	if byID, err := e.image(t.Context(), s, "", io.Discard); err != nil || byID.ID != got[0].ID {
		t.Errorf("by ID: got %+v, %v", byID, err)
	}
}

func TestImageErrors(t *testing.T) {
	e := testEngine(t)
	open, private, limited, gone := testdocker.Start(t).Registry(t), testdocker.Start(t).Registry(t), testdocker.Start(t).Registry(t), "127.0.0.1:1"
	private.User, private.Password = "me", "secret"
	limited.Limited = true
	local := open.Host + "/app:1"
	removeImage(t, e, local)
	if _, err := e.image(t.Context(), rehearse.Service{Name: "web", Image: local}, "", io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, image, pull string
		kind              rehearse.Kind
		words             []string
	}{
		{"never", open.Host + "/other:1", pullNever, rehearse.Unavailable, []string{"pull_policy", "is not on the engine"}},
		{"never, another tag", open.Host + "/app:2", pullNever, rehearse.Unavailable, []string{"Did you mean " + local}},
		{"no such tag", open.Host + "/app:2", "", rehearse.Invalid, []string{"does not exist", "Did you mean " + local}},
		{"a login", private.Host + "/app:1", "", rehearse.Unavailable, []string{"needs a login", "`docker login " + private.Host + "`"}},
		{"a limit", limited.Host + "/app:1", "", rehearse.Unavailable, []string{"allows no more pulls", "docker login"}},
		{"no registry", gone + "/app:1", "", rehearse.Unavailable, []string{"cannot be reached", gone}},
		{"no name", "Not A Name", "", rehearse.Invalid, []string{"no image's name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := e.image(t.Context(), rehearse.Service{Name: "web", Image: c.image}, c.pull, io.Discard)
			wantError(t, err, c.kind, append(c.words, `"web"`)...)
		})
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.image(cancelled, rehearse.Service{Name: "web", Image: open.Host + "/app:3"}, "", io.Discard); rehearse.KindOf(err) != rehearse.Internal || cancelled.Err() == nil {
		t.Errorf("cancelled: got %v", err)
	}
}

// Errors of registries that no test can have, in the words of engines.
func TestUnpulled(t *testing.T) {
	e := testEngine(t)
	for _, c := range []struct {
		said  string
		kind  rehearse.Kind
		words []string
	}{
		{"pull access denied for nobody/nothing, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", rehearse.Unavailable, []string{"does not exist, or needs a login", "`docker login`"}},
		{"no matching manifest for linux/arm64/v8 in the manifest list entries", rehearse.Invalid, []string{"does not exist for linux/" + e.arch, "platform"}},
		{"failed to register layer: write /x: no space left on device", rehearse.Unavailable, []string{"disk is full", "docker system df"}},
		{"Get https://r.test/v2/: dial tcp: lookup r.test: no such host", rehearse.Unavailable, []string{"cannot be reached"}},
		{"Get https://r.test/v2/: http: server gave HTTP response to HTTPS client", rehearse.Unavailable, []string{"insecure-registries"}},
	} {
		err := e.unpulled(t.Context(), rehearse.Service{Name: "web", Image: "nobody/nothing:1"}, "docker.io", false, &saidError{c.said})
		wantError(t, err, c.kind, c.words...)
	}
	err := e.unpulled(t.Context(), rehearse.Service{Name: "web", Image: "x"}, "docker.io", false, &saidError{"something else"})
	if got, want := err.Error(), `pull the image x of "web": something else`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type saidError struct{ text string }

func (e *saidError) Error() string { return "Error response from daemon: " + e.text }

func TestPullWithCredentials(t *testing.T) {
	e := testEngine(t)
	r := testdocker.Start(t).Registry(t)
	r.User, r.Password = "me", "secret"
	s := rehearse.Service{Name: "web", Image: r.Host + "/app:1"}
	removeImage(t, e, s.Image)
	e.at.Config = t.TempDir()
	set := func(user, password string) {
		auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		write(t, `{"auths":{"http://`+r.Host+`/v2/":{"auth":"`+auth+`"}}}`, e.at.Config, "config.json")
	}
	set("me", "wrong")
	_, err := e.image(t.Context(), s, "", io.Discard)
	wantError(t, err, rehearse.Unavailable, "are not enough", "docker login "+r.Host)
	set("me", "secret")
	if _, err := e.image(t.Context(), s, "", io.Discard); err != nil {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	helper := `#!/bin/sh
read key
case "$1 $key" in
"get helped.test") echo '{"ServerURL":"x","Username":"u","Secret":"s"}' ;;
"get token.test") echo '{"Username":"<token>","Secret":"s"}' ;;
"get locked.test") echo "the keychain is locked"; exit 1 ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
`
	write(t, helper, bin, "docker-credential-test")
	if err := os.Chmod(filepath.Join(bin, "docker-credential-test"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, `{"auths":{
		"https://index.docker.io/v1/":{"auth":"`+base64.StdEncoding.EncodeToString([]byte("hub:pass:word"))+`"},
		"helped.test":{}, "broken.test":{"auth":"???"}, "identity.test":{"auth":"","identitytoken":"t"}},
		"credHelpers":{"helped.test":"test","token.test":"test","locked.test":"test","absent.test":"absent","unknown.test":"test"}}`, dir, "config.json")
	e := &engine{at: endpoint{Config: dir, Path: bin + ":/bin:/usr/bin"}}
	for _, c := range []struct {
		host string
		want registry.AuthConfig
	}{
		{"docker.io", registry.AuthConfig{Username: "hub", Password: "pass:word", ServerAddress: hubKey}},
		{"helped.test", registry.AuthConfig{Username: "u", Password: "s", ServerAddress: "helped.test"}},
		{"token.test", registry.AuthConfig{IdentityToken: "s", ServerAddress: "token.test"}},
		{"identity.test", registry.AuthConfig{IdentityToken: "t", ServerAddress: "identity.test"}},
		{"unknown.test", registry.AuthConfig{}},
		{"other.test", registry.AuthConfig{}},
	} {
		auth, known, err := e.credentials(t.Context(), c.host)
		if err != nil {
			t.Errorf("%s: %v", c.host, err)
			continue
		}
		var got registry.AuthConfig
		if known {
			b, err := base64.URLEncoding.DecodeString(auth)
			if err == nil {
				err = json.Unmarshal(b, &got)
			}
			if err != nil {
				t.Errorf("%s: %v", c.host, err)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.host, diff)
		}
	}
	_, _, err := e.credentials(t.Context(), "locked.test")
	wantError(t, err, rehearse.Unavailable, "docker-credential-test", "the keychain is locked")
	_, _, err = e.credentials(t.Context(), "absent.test")
	wantError(t, err, rehearse.Unavailable, "docker-credential-absent", "not on this host")
	_, _, err = e.credentials(t.Context(), "broken.test")
	wantError(t, err, rehearse.Invalid, "not readable", "docker login broken.test")

	var hosts []string
	for host := range e.allCredentials(t.Context()) {
		hosts = append(hosts, host)
	}
	if diff := cmp.Diff(map[string]bool{hubKey: true, "helped.test": true, "token.test": true, "identity.test": true}, setOf(hosts)); diff != "" {
		t.Errorf("for builds (-want +got)\n%s", diff)
	}
}

func setOf(all []string) map[string]bool {
	m := map[string]bool{}
	for _, s := range all {
		m[s] = true
	}
	return m
}

// An image for another platform than is asked for is not there.
func TestImageOfAnotherPlatform(t *testing.T) {
	e := testEngine(t)
	r := testdocker.Start(t).Registry(t)
	s := rehearse.Service{Name: "web", Image: r.Host + "/app:1"}
	removeImage(t, e, s.Image)
	if _, err := e.image(t.Context(), s, "", io.Discard); err != nil {
		t.Fatal(err)
	}
	s.Container = &rehearse.Container{Platform: "linux/s390x"}
	_, err := e.image(t.Context(), s, pullNever, io.Discard)
	wantError(t, err, rehearse.Unavailable, "is not on the engine")
	s.Container.Platform = "linux/" + e.arch
	if _, err := e.image(t.Context(), s, pullNever, io.Discard); err != nil {
		t.Error(err)
	}
}
