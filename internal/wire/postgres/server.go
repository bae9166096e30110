package postgres

// negotiated takes the server's answer to a request for encryption, one byte.
func (f *Follower) negotiated(p []byte) (rest []byte) {
	switch {
	case f.negotiating && p[0] == 'N':
		f.negotiating = false
		f.down.at++
		f.login.down++
		return p[1:]
	case f.negotiating && (p[0] == 'S' || p[0] == 'G'):
		f.hide("tls")
	default:
		f.lost()
	}
	return nil
}

// answers notes that a message of the server's begins.
func (f *Follower) answers(kind byte) {
	switch kind {
	case 'N', 'S', 'A', 'G', 'W':
		return
	}
	if u := f.front(); u != nil {
		f.answer(u)
	}
}

// answer notes the beginning of an answer.
func (f *Follower) answer(u *unit) {
	if !u.hasAnswer {
		u.hasAnswer, u.answered = true, f.now
		f.resolve(u)
	}
}

// resolve finds when a unit of the extended protocol was said. A COPY's data
// have told already.
func (f *Follower) resolve(u *unit) {
	if u.group == 0 || u.fedEnd {
		return
	}
	if end, ok := f.groups.end(u.group); ok {
		u.said, u.saidAt = end.said, end.saidAt
	}
}

// heard takes a whole message of the server's.
func (f *Follower) heard(kind byte, body []byte) {
	u := f.front()
	if u != nil {
		u.down += int64(f.down.size)
	}
	switch {
	case kind == 'N' || kind == 'S' || kind == 'A':
	case u == nil && kind == 'E': // the server ends a connection that is idle
	case u == nil || u.kind == unitCancel:
		f.lost()
	case kind == 'Z':
		f.ready(u, body)
	case kind == 'E':
		f.failed(u, body)
	case u.kind == unitStartup:
		if kind != 'R' && kind != 'K' && kind != 'v' {
			f.lost()
		}
	case u.whole:
		f.lost()
	default:
		f.answered(u, kind, body)
	}
}

// answered takes a message that is a part of a request's answer.
func (f *Follower) answered(u *unit, kind byte, body []byte) {
	switch kind {
	case 'D':
		u.sent++
	case 'C':
		tag, _ := text(body)
		u.complete(command(tag))
		f.complete(u)
	case 's':
		u.complete("SUSPENDED", -1)
		f.complete(u)
	case 'I':
		f.complete(u)
	case '1', '2', '3', 'n', 'T':
		if u.kind == unitExtended {
			u.owes--
			if !u.execute && u.owes == 0 && u != &f.next {
				f.finish(u)
				f.settle(f.building)
			}
		}
	case 'G', 'W':
		u.copying = true
		if u.kind == unitExtended {
			u.sync = u.final // the server ignores one that came before the data
		}
	case 't', 'H', 'V', 'd', 'c':
	default:
		f.lost()
	}
}

// complete ends the answer to a unit of the extended protocol, but for a
// ReadyForQuery.
func (f *Follower) complete(u *unit) {
	if u.kind != unitExtended {
		return
	}
	if !u.execute {
		f.lost()
		return
	}
	f.finish(u)
	f.settle(f.building)
}

// finish notes that an answer is whole.
func (f *Follower) finish(u *unit) {
	u.whole, u.ended, u.endedAt = true, f.now, f.down.at
}

// failed takes an error.
func (f *Follower) failed(u *unit, body []byte) {
	if u.state == "" {
		u.state = sqlState(body)
	}
	switch u.kind {
	case unitStartup:
		f.finish(u)
		f.end(0)
	case unitExtended:
		f.skipping = true
		f.finish(u)
		f.settle(f.building)
	}
}

// ready takes a ReadyForQuery.
func (f *Follower) ready(u *unit, body []byte) {
	if len(body) == 0 || u == &f.next {
		f.lost()
		return
	}
	for f.skipping && f.units.Len() > 0 && !f.units.Front().sync {
		f.skip(f.units.Front())
		f.end(0)
	}
	if f.units.Len() == 0 {
		f.lost()
		return
	}
	u = f.units.Front()
	if u.kind == unitExtended {
		switch {
		case !u.sync:
			f.lost()
			return
		case f.skipping:
			f.skip(u)
		case !u.whole && (u.execute || u.owes > 0):
			f.lost()
			return
		}
	}
	f.skipping = false
	f.answer(u)
	f.finish(u)
	f.end(body[0])
	if body[0] == 'I' && f.units.Len() == 0 && !f.building && len(f.session.portals) > 0 {
		clear(f.session.portals) // they end with their transaction
	}
}

// skip marks a unit that the server has not looked at, because one before it has
// failed.
func (f *Follower) skip(u *unit) {
	if u.whole || u.tag == "SYNC" {
		return
	}
	f.answer(u)
	f.finish(u)
	u.tag = "SKIPPED"
}
