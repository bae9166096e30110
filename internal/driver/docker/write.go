package docker

import (
	"bytes"
	"io"
	"sync"
)

// prefixed begins every line with the name of a service.
type prefixed struct {
	to     io.Writer
	prefix string

	mu   sync.Mutex
	line []byte // that has not ended
}

func (p *prefixed) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = append(p.line, data...)
	for {
		i := bytes.IndexByte(p.line, '\n')
		if i < 0 {
			return len(data), nil
		}
		if _, err := p.to.Write(append([]byte(p.prefix), p.line[:i+1]...)); err != nil {
			return 0, err
		}
		p.line = p.line[i+1:]
	}
}
