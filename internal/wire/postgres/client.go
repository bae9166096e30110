package postgres

import (
	"encoding/binary"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// start takes a message of the startup, or a part of it, from the start of p.
func (f *Follower) start(p []byte) (rest []byte) {
	r := &f.up
	switch {
	case p[0] == tlsRecord && len(r.kept) == 0:
		f.hide("tls")
		return nil
	case f.negotiating:
		// Who does not wait for the answer does not take no for one.
		f.lost()
		return nil
	}
	if f.up.at == 0 {
		f.login.begun = f.now
	}
	n := 0
	for {
		want := 4
		if len(r.kept) >= want {
			want = int(binary.BigEndian.Uint32(r.kept))
			if want < 8 || want > maxStart {
				f.lost()
				return nil
			}
			if len(r.kept) == want {
				break
			}
		}
		k := min(want-len(r.kept), len(p)-n)
		if k == 0 {
			return nil
		}
		r.kept = append(r.kept, p[n:n+k]...)
		n += k
		r.at += int64(k)
	}
	body := r.kept[4:]
	f.login.up += int64(len(r.kept))
	r.kept = r.kept[:0]
	f.started(binary.BigEndian.Uint32(body), body[4:])
	return p[n:]
}

// tlsRecord is the first byte of a connection that begins with TLS.
const tlsRecord = 0x16

// started takes a whole message of the startup.
func (f *Follower) started(code uint32, parameters []byte) {
	u := &f.login
	u.rows = -1
	switch {
	case code == askSSL || code == askGSS:
		f.negotiating = true
		return
	case code == cancel:
		u.kind, u.statement = unitCancel, "CANCEL"
		f.terminated = true
	case code>>16 != version3:
		f.lost()
		return
	case replicates(parameters):
		f.hide("replication")
		return
	default:
		u.kind, u.tag = unitStartup, "STARTUP"
		f.parameters(parameters)
	}
	f.told.Protocol = wire.PostgreSQL
	f.starting = false
	f.push(*u)
}

// parameters notes who connects to what.
func (f *Follower) parameters(b []byte) {
	x := &f.told
	for len(b) > 0 && b[0] != 0 {
		var name, value []byte
		name, b = text(b)
		value, b = text(b)
		switch string(name) {
		case "user":
			x.User = string(value)
		case "database":
			x.Database = string(value)
		case "application_name":
			x.Application = string(value)
		}
	}
	if x.Database == "" {
		x.Database = x.User
	}
}

// said takes a whole message of the client's.
func (f *Follower) said(kind byte, body []byte) {
	size := int64(f.up.size)
	switch kind {
	case 'Q', 'F':
		f.settle(true)
		if f.building {
			f.pushNext() // the query makes the server answer it
		}
		f.groups.close(f.now, f.up.at)
		u := unit{kind: unitSimple, begun: f.begun, up: size, rows: -1}
		if kind == 'F' {
			u.tag = "FUNCTION"
		} else {
			u.statement = f.simple(body)
		}
		f.push(u)
	case 'P', 'B', 'D', 'C', 'E':
		f.build(kind, size, body)
	case 'H':
		f.flush(size)
	case 'S':
		f.synchronise(size)
	case 'd', 'c', 'f':
		f.feed(kind, size)
	case 'p':
		if f.units.Len() > 0 && f.units.Back().kind == unitStartup {
			f.units.Back().up += size
		}
	case 'X':
		f.terminated = true
	}
}

// simple is the text of a simple query.
func (f *Follower) simple(body []byte) string {
	sql, _ := text(body)
	if f.query != string(sql) {
		f.query = string(sql)
	}
	return f.query
}

// build adds a message to the next unit of the extended protocol.
func (f *Follower) build(kind byte, size int64, body []byte) {
	u := &f.next
	if !f.building {
		*u = unit{kind: unitExtended, begun: f.begun, rows: -1}
		f.building = true
		f.settle(true)
	}
	u.up += size
	if kind == 'E' {
		p := f.session.execute(body)
		u.execute, u.statement, u.prepared, u.tag = true, p.statement, p.named, ""
		f.pushNext()
		return
	}
	u.owes++
	tag, statement := "DESCRIBE", ""
	switch kind {
	case 'P':
		tag, statement = "PARSE", f.parse(body)
	case 'B':
		tag = "BIND"
		f.session.bind(body)
	case 'C':
		tag, statement = "CLOSE", f.session.find(body)
		f.session.close(body)
	case 'D':
		statement = f.session.find(body)
	}
	if u.tag == "" {
		u.tag = tag
	}
	if u.statement == "" {
		u.statement = statement
	}
}

// parse remembers the statement of a Parse.
func (f *Follower) parse(body []byte) string {
	name, rest := text(body)
	sql, _ := text(rest)
	if len(name) > 0 {
		statement := string(sql)
		f.session.remember(name, statement, len(sql))
		return statement
	}
	if f.session.statement != string(sql) {
		f.session.statement = string(sql)
	}
	return f.session.statement
}

// pushNext adds the unit that was built.
func (f *Follower) pushNext() {
	u := f.next
	u.group = f.groups.add()
	if u.state == "" {
		u.hasAnswer = false // what has come of it was not kept only because there was so much
	}
	f.building = false
	f.push(u)
}

// flush makes the server answer what was said so far.
func (f *Follower) flush(size int64) {
	switch {
	case f.building:
		f.next.up += size
		f.pushNext()
	case f.units.Len() == 0 || f.units.Back().kind != unitExtended || f.units.Back().sync:
		return
	default:
		f.units.Back().up += size
	}
	f.groups.close(f.now, f.up.at)
	if f.opaque == "" {
		f.units.Back().flushed = true
		f.settle(false)
	}
}

// synchronise ends a batch.
func (f *Follower) synchronise(size int64) {
	var back *unit
	if f.units.Len() > 0 {
		back = f.units.Back()
	}
	switch {
	case f.building:
		f.next.up += size
		f.pushNext()
	case back != nil && back.kind == unitExtended && back.feeds():
		back.up += size
		return
	case back != nil && back.kind == unitExtended && (!back.sync || back.fedEnd && !back.final):
		back.up += size
	default:
		f.next = unit{kind: unitExtended, begun: f.begun, rows: -1, tag: "SYNC", up: size}
		f.pushNext()
	}
	f.groups.close(f.now, f.up.at)
	if f.opaque == "" {
		back = f.units.Back()
		back.sync, back.final = true, back.fedEnd
	}
}

// feed takes a part of a COPY's data.
func (f *Follower) feed(kind byte, size int64) {
	if f.units.Len() == 0 {
		return // the COPY has failed, and the client did not know
	}
	u := f.units.Back()
	if u.kind != unitSimple && u.kind != unitExtended {
		return
	}
	u.fed = true
	u.up += size
	if kind == 'd' {
		return
	}
	u.fedEnd = true
	if u.state == "" && !u.whole {
		u.said, u.saidAt, u.hasAnswer = f.now, f.up.at, false
	}
}
