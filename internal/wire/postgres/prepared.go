package postgres

// portal is a statement that is bound to its parameters.
type portal[T any] struct {
	statement T
	named     bool // the statement is one that has a name
	begun     bool // it was executed, perhaps not to its end
}

// What is remembered of one connection at most. Of statements beyond it nothing
// is known.
const (
	maxTexts = 4 << 20 // bytes
	maxNames = 10_000
)

// session is what a connection has prepared. T is what is remembered of a
// statement.
type session[T any] struct {
	statement  T // the unnamed one
	statements map[string]remembered[T]
	texts      int // bytes of their texts
	portal     portal[T]
	portals    map[string]portal[T]
}

type remembered[T any] struct {
	statement T
	size      int // of the text
}

// remember takes down a statement with a name, whose text has a size.
func (s *session[T]) remember(name []byte, statement T, size int) {
	s.forget(name)
	if s.texts+size > maxTexts || len(s.statements) >= maxNames {
		return
	}
	if s.statements == nil {
		s.statements = map[string]remembered[T]{}
	}
	s.statements[string(name)] = remembered[T]{statement, size}
	s.texts += size
}

// bind remembers the portal of a Bind.
func (s *session[T]) bind(body []byte) {
	name, rest := text(body)
	from, _ := text(rest)
	p := portal[T]{statement: s.statement}
	if len(from) > 0 {
		p.statement, p.named = s.statements[string(from)].statement, true
	}
	if len(name) == 0 {
		s.portal = p
		return
	}
	if s.portals == nil {
		s.portals = map[string]portal[T]{}
	}
	if len(s.portals) < maxNames {
		s.portals[string(name)] = p
	}
}

// execute is the portal of an Execute. It has begun if it was executed before.
func (s *session[T]) execute(body []byte) portal[T] {
	name, _ := text(body)
	if len(name) == 0 {
		p := s.portal
		s.portal.begun = true
		return p
	}
	p, ok := s.portals[string(name)]
	if ok && !p.begun {
		next := p
		next.begun = true
		s.portals[string(name)] = next
	}
	return p
}

// find is the statement that a Describe or a Close names, be it by its portal.
func (s *session[T]) find(body []byte) T {
	var none T
	if len(body) == 0 {
		return none
	}
	name, _ := text(body[1:])
	switch {
	case body[0] == 'S' && len(name) == 0:
		return s.statement
	case body[0] == 'S':
		return s.statements[string(name)].statement
	case len(name) == 0:
		return s.portal.statement
	}
	return s.portals[string(name)].statement
}

// close forgets what a Close names.
func (s *session[T]) close(body []byte) {
	if len(body) == 0 {
		return
	}
	name, _ := text(body[1:])
	if body[0] == 'S' {
		s.forget(name)
	} else {
		delete(s.portals, string(name))
	}
}

func (s *session[T]) forget(name []byte) {
	if old, ok := s.statements[string(name)]; ok {
		s.texts -= old.size
		delete(s.statements, string(name))
	}
}
