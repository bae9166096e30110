package recipe

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// portable is a text without the places of this one environment, for the key of
// a template that others share.
func portable(c *Context, text string) string {
	return strings.NewReplacer(c.Data, "DATA", c.Run, "RUN").Replace(text)
}

// find looks a program up that minds the name it is called by. Debian's
// redis-server is a link to redis-check-rdb and so is its sibling, and a lookup
// that follows links would start the wrong one.
func find(c *Context, program string, places ...string) (string, error) {
	found, err := c.Find(program, places...)
	if err != nil {
		return "", err
	}
	if called := filepath.Join(filepath.Dir(found), program); called != found {
		if _, err := os.Stat(called); err == nil {
			return called, nil
		}
	}
	return found, nil
}

// versionOf asks a program for its version and gives the first that it prints.
// It is empty when the program does not say.
func versionOf(program string, args ...string) (version, said string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "", ""
	}
	return versionNumber.FindString(string(out)), string(out)
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)

// otherVersion is a finding when a tag asks for another version than the host
// has, as far as both say and up to so many numbers.
func otherVersion(s rehearse.Service, product, have string, numbers int) []rehearse.Fact {
	asked := numbersOf(Tag(s.Image))
	given := numbersOf(have)
	n := min(numbers, len(asked), len(given))
	if n == 0 || slices.Equal(asked[:n], given[:n]) {
		return nil
	}
	return []rehearse.Fact{{
		Name: product + ".version", Value: have,
		Note: fmt.Sprintf("%s asks for %s, but this host has %s %s", s.Name, strings.Join(asked[:n], "."), product, have),
	}}
}

// numbersOf are the leading numbers of a version or tag: "10.11-jammy" → 10, 11.
func numbersOf(version string) []string {
	version = strings.TrimPrefix(version, "v")
	version = version[:len(version)-len(strings.TrimLeft(version, "0123456789."))]
	return strings.FieldsFunc(version, func(r rune) bool { return r == '.' })
}

// otherProduct is the finding that another program stands in for the image's.
func otherProduct(s rehearse.Service, recipe, image, have, note string) rehearse.Fact {
	return rehearse.Fact{Name: recipe + ".product", Value: have, Note: fmt.Sprintf("%s asks for %s, but this host has %s; %s", s.Name, image, have, note)}
}

// emptyData is a finding for a directory of the host that Compose mounts as the
// server's data: the environment starts without its content and leaves it alone.
func emptyData(s rehearse.Service, product string, places ...string) []rehearse.Fact {
	var out []rehearse.Fact
	for _, m := range s.Mounts {
		if m.Type == "bind" && slices.Contains(places, m.Target) {
			out = append(out, rehearse.Fact{
				Name: product + ".data", Value: "empty", Note: fmt.Sprintf("%s mounts %s, which is neither read nor written", s.Name, m.Source),
			})
		}
	}
	return out
}

// onHost is where a path of the container's lies on the host, when Compose
// mounts it from there.
func onHost(s rehearse.Service, target string) (string, bool) {
	for _, m := range s.Mounts {
		if m.Source == "" || m.Type == "volume" {
			continue
		}
		if target == m.Target {
			return m.Source, true
		}
		if rest, ok := strings.CutPrefix(target, strings.TrimSuffix(m.Target, "/")+"/"); ok {
			return filepath.Join(m.Source, rest), true
		}
	}
	return "", false
}

// textAt is the content of a file that Compose puts at a path of the container's.
func textAt(s rehearse.Service, target string) (string, bool) {
	for _, m := range s.Mounts {
		if m.Target == target && m.Content != "" {
			return m.Content, true
		}
	}
	source, ok := onHost(s, target)
	if !ok {
		return "", false
	}
	data, err := os.ReadFile(source)
	return string(data), err == nil
}

// textsBelow are the files that Compose puts at or below a directory of the
// container's, by their paths there. A mount with a file that is no text, or
// whose content only the driver knows, is left out whole.
func textsBelow(s rehearse.Service, dir string) (files map[string]string, owned []string, err error) {
	files = map[string]string{}
	for _, m := range s.Mounts {
		target := path.Clean(m.Target)
		if target != dir && !strings.HasPrefix(target, dir+"/") {
			continue
		}
		if m.Content != "" {
			files[target] = m.Content
			owned = append(owned, target)
			continue
		}
		if m.Source == "" || m.Type == "volume" {
			continue
		}
		below, ok, err := textsIn(m.Source, target)
		if err != nil {
			return nil, nil, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q mounts %s, which cannot be read", s.Name, m.Source), Err: err,
				Hint: "Create it, or correct the volume in the Compose file.",
			}
		}
		if ok {
			maps.Copy(files, below)
			owned = append(owned, target)
		}
	}
	return files, owned, nil
}

// textsIn reads a file or a directory of files.
func textsIn(source, target string) (files map[string]string, ok bool, err error) {
	const largest = 1 << 20 // of a file that somebody wrote by hand
	files = map[string]string{}
	ok = true
	err = filepath.WalkDir(source, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		st, err := os.Stat(name) // a link counts as what it leads to
		if err != nil || st.IsDir() {
			return err
		}
		if st.Size() > largest {
			ok = false
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.ContainsRune(string(data), 0) || !isText(data) {
			ok = false
			return nil
		}
		rest, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		files[path.Join(target, filepath.ToSlash(rest))] = string(data)
		return nil
	})
	return files, ok, err
}
