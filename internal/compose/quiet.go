package compose

import (
	"io"
	"sync"

	"github.com/sirupsen/logrus"
)

// compose-go warns through logrus's one global logger. It must not write to our
// standard error, and what it says belongs into the notes.
var quiet sync.Mutex

// quietly runs f and returns what it warned of.
func quietly(f func() error) ([]string, error) {
	quiet.Lock()
	defer quiet.Unlock()
	log := logrus.StandardLogger()
	c := &collector{}
	out, hooks := log.Out, log.ReplaceHooks(logrus.LevelHooks{})
	log.SetOutput(io.Discard)
	log.AddHook(c)
	defer func() {
		log.SetOutput(out)
		log.ReplaceHooks(hooks)
	}()
	err := f()
	return c.messages(), err
}

// collector is a logrus hook. compose-go may warn from several goroutines.
type collector struct {
	mu       sync.Mutex
	warnings []string
}

func (c *collector) Levels() []logrus.Level {
	return []logrus.Level{logrus.ErrorLevel, logrus.WarnLevel}
}

func (c *collector) Fire(e *logrus.Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warnings = append(c.warnings, e.Message)
	return nil
}

func (c *collector) messages() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.warnings
}
