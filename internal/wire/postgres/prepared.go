package postgres

import "bytes"

// prepared is a statement that can be executed.
type prepared struct {
	text  []byte
	class class
}

// portal is a statement that is bound to its parameters.
type portal struct {
	prepared
	begun bool // it was executed, perhaps not to its end
}

// What is remembered of one connection at most. Of statements beyond it nothing
// is known.
const (
	maxTexts = 4 << 20 // bytes
	maxNames = 10_000
)

// session is what a connection has prepared.
type session struct {
	statement  prepared // the unnamed one, whose text's memory is used again
	statements map[string]prepared
	texts      int // bytes of their texts
	portal     portal
	portals    map[string]portal
}

// parse remembers the statement of a Parse.
func (s *session) parse(body []byte) {
	name, rest := text(body)
	sql, _ := text(rest)
	if len(name) == 0 {
		if !bytes.Equal(s.statement.text, sql) {
			s.statement.text = append(s.statement.text[:0], sql...)
			s.statement.class = classify(sql)
		}
		return
	}
	s.forget(name)
	if s.texts+len(sql) > maxTexts || len(s.statements) >= maxNames {
		return
	}
	if s.statements == nil {
		s.statements = map[string]prepared{}
	}
	s.statements[string(name)] = prepared{text: bytes.Clone(sql), class: classify(sql)}
	s.texts += len(sql)
}

// bind remembers the portal of a Bind.
func (s *session) bind(body []byte) {
	name, rest := text(body)
	from, _ := text(rest)
	p := portal{prepared: s.statement}
	if len(from) > 0 {
		p.prepared = s.statements[string(from)]
	}
	if len(name) == 0 {
		s.portal = p
		return
	}
	if s.portals == nil {
		s.portals = map[string]portal{}
	}
	if len(s.portals) < maxNames {
		s.portals[string(name)] = p
	}
}

// execute is the statement of an Execute, and whether it goes on with a portal
// that was executed before.
func (s *session) execute(body []byte) (prepared, bool) {
	name, _ := text(body)
	if len(name) == 0 {
		again := s.portal.begun
		s.portal.begun = true
		return s.portal.prepared, again
	}
	p, ok := s.portals[string(name)]
	again := p.begun
	if ok && !again {
		p.begun = true
		s.portals[string(name)] = p
	}
	return p.prepared, again
}

// close forgets what a Close names.
func (s *session) close(body []byte) {
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

func (s *session) forget(name []byte) {
	if old, ok := s.statements[string(name)]; ok {
		s.texts -= len(old.text)
		delete(s.statements, string(name))
	}
}
