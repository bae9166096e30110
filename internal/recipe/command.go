package recipe

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// flagsOf is what Compose's entrypoint and command hand to the server, given the
// names under which the image has it. It understands what the images' entry
// points do: a list that starts with a flag, a list that starts with the server,
// and a shell line that does nothing but call the server.
func flagsOf(s rehearse.Service, servers ...string) ([]string, error) {
	args := append(append([]string{}, s.Entrypoint...), s.Command...)
	for len(args) > 0 && strings.HasSuffix(args[0], "entrypoint.sh") {
		args = args[1:]
	}
	if len(args) > 2 && isShell(args[0]) && strings.HasPrefix(args[1], "-") && strings.HasSuffix(args[1], "c") {
		words, ok := shellWords(args[2], s.Env)
		if !ok {
			return nil, notOurs(s, args[2])
		}
		if args = words; len(args) > 0 && args[0] == "exec" {
			args = args[1:]
		}
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return args, nil
	}
	for _, server := range servers {
		if path.Base(args[0]) == server {
			return args[1:], nil
		}
	}
	return nil, notOurs(s, strings.Join(args, " "))
}

func notOurs(s rehearse.Service, command string) error {
	return &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q: its command does more than start the server: %s", s.Name, command),
		Hint: fmt.Sprintf("Add services.%s.process.command to rehearse.yaml.", s.Name),
	}
}

func isShell(program string) bool {
	switch path.Base(program) {
	case "sh", "bash", "ash", "dash":
		return true
	}
	return false
}

// shellWords takes a shell line apart: words, quotes and variables. It is not ok
// for a line that needs a shell: a pipe, a list, a substitution.
func shellWords(line string, env map[string]string) (words []string, ok bool) {
	var word strings.Builder
	started, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '$' && quote != '\'':
			m := variable.FindStringSubmatch(line[i:])
			if m == nil {
				return nil, false
			}
			word.WriteString(env[m[1]+m[2]])
			started = started || quote != 0 || env[m[1]+m[2]] != ""
			i += len(m[0]) - 1
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			if line[i] == '\n' {
				continue
			}
			word.WriteByte(line[i])
			started = true
		case quote == 0 && (c == '\'' || c == '"'):
			quote, started = c, true
		case quote == 0 && strings.IndexByte(" \t", c) >= 0:
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		case c == '`' && quote != '\'', quote == 0 && strings.IndexByte("|&;<>(){}*?[]#~\n", c) >= 0:
			return nil, false
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words, quote == 0
}

// variable is a plain use of a variable, at the start of a text.
var variable = regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)

// option is one of a server's command-line options: its name without dashes, and
// all of its words as they were given.
type option struct {
	name  string
	value string
	words []string
}

// options groups flags with their values. A word that follows a flag belongs to
// it, as in "--save 60 1" and "-p 11211", and "--flag=value" is whole. What comes
// before the first flag has no name.
func options(flags []string) []option {
	var out []option
	for _, word := range flags {
		if !strings.HasPrefix(word, "-") || word == "-" || isNumber(word) {
			if len(out) == 0 {
				out = append(out, option{})
			}
			last := &out[len(out)-1]
			last.words = append(last.words, word)
			if last.value == "" {
				last.value = word
			}
			continue
		}
		name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		out = append(out, option{name: name, value: value, words: []string{word}})
	}
	return out
}

func isNumber(word string) bool {
	_, err := strconv.Atoi(word)
	return err == nil
}

// valueOf is the last value of an option that has any of the names.
func valueOf(options []option, names ...string) string {
	value := ""
	for _, o := range options {
		for _, name := range names {
			if o.name == name {
				value = o.value
			}
		}
	}
	return value
}

// without leaves out options, and gives the words of the others.
func without(options []option, names ...string) []string {
	var words []string
next:
	for _, o := range options {
		for _, name := range names {
			if o.name == name {
				continue next
			}
		}
		words = append(words, o.words...)
	}
	return words
}

// portOf is the port that an option asks for, or the usual one.
func portOf(options []option, usual int, names ...string) int {
	if n, err := strconv.Atoi(valueOf(options, names...)); err == nil && n > 0 {
		return n
	}
	return usual
}

// listenPort is where to listen: the port that the command asks for, where the
// service has all ports to itself, else the one that the driver chose.
func listenPort(c *Context, usual, asked int) int {
	if c.ListenPort == usual {
		return asked
	}
	return c.ListenPort
}
