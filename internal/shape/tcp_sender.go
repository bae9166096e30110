package shape

import (
	"time"
)

// sender is the near end of a TCP flow.
type sender struct {
	una, nxt, accepted int64 // acknowledged, sent and taken in, up to there
	edge               int64 // of the receive window
	board              board
	cubic              cubic
	lastSent           time.Duration

	// What is known of round trips.
	smoothed, variation, shortest time.Duration

	timer    timer
	deadline time.Duration
	backoff  int

	// state is Linux's: how the window is governed until high is acknowledged.
	state state
	high  int64
	// What a time-out has changed, and when it was.
	undoWindow, undoThreshold int
	timedOutAt                time.Duration
	// Proportional rate reduction (RFC 6937): the window before, and what was
	// delivered and sent since.
	prior, delivered, resent int
	// probe is what was sent up to the tail loss probe that is out; 0: none is.
	probe    int64
	probeNew bool // the probe carried new bytes

	// The packet sent last of those that arrived (RACK, RFC 8985).
	rackAt  time.Duration
	rackEnd int64
	rackRTT time.Duration

	// limited says that the window, not the application, bound what was sent of
	// late: the most of it was out when everything before usage was sent.
	limited   bool
	most      int
	usage     int64
	used      int // the most that an application that leaves room had out
	usedSince time.Duration
}

type state int

const (
	open     state = iota // nothing is missing for certain
	recovery              // packets are missing, and the window goes down to the threshold
	loss                  // a time-out has taken everything for lost
)

type timer int

const (
	off      timer = iota
	timeout        // retransmission time-out
	tailLoss       // tail loss probe
	reorder        // RACK's, for packets that may yet come
)

const (
	forever    = time.Duration(1 << 62)
	leastRTO   = 200 * time.Millisecond
	mostRTO    = 120 * time.Second
	reordering = 3
	// A timer of the kernel's is late by up to two ticks, and by up to an eighth
	// of what it waits for when that is long: the wheel has 64 places and then
	// others that are 8 times coarser. Most kernels have 250 ticks a second.
	tick  = 4 * time.Millisecond
	wheel = 8
	// soonest is what is added to waits that depend on the round trip alone
	// (TCP_TIMEOUT_MIN_US).
	soonest = 2 * tick
)

// newSender is one whose handshake has measured a round trip.
func newSender(rtt time.Duration) sender {
	return sender{
		edge: firstWindow, cubic: newCubic(rtt),
		smoothed: rtt, variation: rtt / 2, shortest: rtt,
	}
}

// rto is the retransmission time-out, without its doubling.
func (s *sender) rto() time.Duration {
	return min(s.smoothed+max(leastRTO, 4*s.variation), mostRTO)
}

// arm sets the timer, in whole ticks and as coarsely as the kernel's wheel.
func (t *TCP) arm(kind timer, d time.Duration) {
	now := (t.now + t.phase) / tick
	wait := (d + tick - 1) / tick
	unit := time.Duration(1)
	for span := time.Duration(64); wait >= span && unit < wheel*wheel; span *= wheel {
		unit *= wheel
	}
	at := now + wait
	at += unit - at%unit
	t.timer, t.deadline = kind, at*tick-t.phase
}

// armTimeout sets the time-out, counted from when the oldest packet was sent
// where another timer has run instead.
func (t *TCP) armTimeout() {
	if t.board.out() == 0 {
		t.timer = off
		return
	}
	d := min(t.rto()<<min(t.backoff, 10), mostRTO)
	if t.timer == tailLoss || t.timer == reorder {
		d = max(t.board.runs[0].at+d-t.now, 0)
	}
	t.arm(timeout, d)
}

// armProbe sets the timer for a tail loss probe, where one may be sent, or else
// the time-out (tcp_schedule_loss_probe).
func (t *TCP) armProbe() {
	if t.state != open || t.board.out() == 0 || t.board.count[sacked] > 0 || t.probe > 0 {
		t.armTimeout()
		return
	}
	d := 2 * t.smoothed
	if t.board.out() == 1 {
		d += leastRTO // its acknowledgement may be delayed
	} else {
		d += soonest
	}
	d = min(d, max(0, t.board.runs[0].at+t.rto()-t.now))
	t.arm(tailLoss, d)
}

// news is what an acknowledgement says for the first time.
type news struct {
	packets int           // that arrived
	rtt     time.Duration // of the oldest that was sent once; 0: there is none
	latest  time.Duration // of the latest
}

// tell notes a run that turns out to have arrived.
func (t *TCP) tell(n *news, r run) {
	n.packets += packets(r.end - r.seq)
	trip := t.now - r.at
	if !r.again {
		n.rtt, n.latest = max(n.rtt, trip), trip
		t.shortest = min(t.shortest, trip)
	} else if trip < t.shortest {
		return // it answers the first time that it was sent
	}
	if r.at > t.rackAt || r.at == t.rackAt && r.end > t.rackEnd {
		t.rackAt, t.rackEnd, t.rackRTT = r.at, r.end, trip
	}
}

// acknowledged takes in an acknowledgement and sends what it allows.
func (t *TCP) acknowledged(a ack) {
	var n news
	tell := func(r run) { t.tell(&n, r) }
	advanced := a.seq > t.una
	if advanced {
		t.board.acknowledge(a.seq, tell)
		t.una, t.backoff = a.seq, 0
	}
	for t.notes.gone < a.holes {
		note := *t.notes.front()
		t.notes.pop()
		if note.end > t.una {
			t.board.sack(max(note.seq, t.una), note.end, tell)
		}
	}
	t.edge = max(t.edge, a.edge)
	if n.rtt > 0 {
		t.measure(n.rtt)
		t.cubic.hystart(t.now, t.una, t.nxt, n.latest, max(1, n.packets))
	}
	if t.state == loss && advanced && a.at < t.timedOutAt {
		t.undo()
	}
	t.probed(a, advanced)
	missing := t.detect()
	t.govern(n, advanced, missing)
	if t.timer != reorder && (advanced || n.packets > 0) {
		t.armProbe()
	}
	t.transmit()
	if t.board.out() == 0 {
		t.timer = off
	}
}

// measure takes in a round trip (RFC 6298).
func (s *sender) measure(rtt time.Duration) {
	stray := rtt - s.smoothed
	s.smoothed += stray / 8
	s.variation += (max(stray, -stray) - s.variation) / 4
}

// probed ends a tail loss probe. When the probe has filled a hole, the loss that
// nobody saw costs the window what others do (tcp_process_tlp_ack).
func (t *TCP) probed(a ack, advanced bool) {
	if t.probe == 0 || a.seq < t.probe {
		return
	}
	if !t.probeNew && !a.again && advanced && t.state == open {
		t.cubic.threshold = t.cubic.reduced()
		t.cubic.window = min(t.cubic.window, t.cubic.threshold)
	}
	t.probe = 0
}

// detect marks what is lost: what was sent so much before something that has
// arrived that it should have arrived too. It reports how many packets those
// are, and sets the timer for those that may yet come.
func (t *TCP) detect() (missing int) {
	if t.timer == reorder {
		t.armTimeout()
	}
	if t.rackAt == 0 && t.rackEnd == 0 || t.board.count[sent] == 0 {
		return 0
	}
	patience := min(t.shortest/4, t.smoothed/8)
	if t.state != open || t.board.count[sacked] >= reordering {
		patience = 0
	}
	var wait time.Duration
	for i := range t.board.runs {
		r := &t.board.runs[i]
		if r.fate != sent || r.at > t.rackAt || r.at == t.rackAt && r.end > t.rackEnd {
			continue
		}
		if left := r.at + t.rackRTT + patience - t.now; left > 0 {
			wait = max(wait, left)
			continue
		}
		missing += packets(r.end - r.seq)
		t.board.set(r, lost)
		r.again = true
	}
	if wait > 0 {
		t.arm(reorder, wait+soonest)
	}
	return missing
}

// undo takes back what a time-out has done that came too soon: what was sent
// before it has arrived (RFC 3522).
func (t *TCP) undo() {
	t.state = open
	t.cubic.window = max(t.cubic.window, t.undoWindow)
	t.cubic.threshold = max(t.cubic.threshold, t.undoThreshold)
	for i := range t.board.runs {
		if r := &t.board.runs[i]; r.fate == lost {
			t.board.set(r, sent)
		}
	}
}

// govern moves the congestion window.
func (t *TCP) govern(n news, advanced bool, missing int) {
	if t.state != open && t.una >= t.high {
		if t.state == recovery {
			t.cubic.window = t.cubic.threshold
		}
		t.state = open
	}
	if t.state == open && t.board.count[lost] > 0 {
		t.state, t.high = recovery, t.nxt
		t.prior, t.delivered, t.resent = t.cubic.window, 0, 0
		t.cubic.threshold = t.cubic.reduced()
		t.probe = 0
	}
	switch {
	case t.state == recovery:
		t.reduce(n.packets, advanced && missing == 0)
	case advanced:
		if t.grows() {
			t.cubic.acked(t.now, n.packets)
		}
		// Linux counts this as use of the window even where it does not grow
		// (tcp_cong_avoid), so that only a pause takes unused window back.
		t.usedSince = t.now
	}
}

// reduce is proportional rate reduction (tcp_cwnd_reduction).
func (t *TCP) reduce(arrived int, safe bool) {
	if arrived == 0 {
		return
	}
	t.delivered += arrived
	out := t.board.count[sent]
	var may int
	if room := t.cubic.threshold - out; room < 0 {
		may = (t.cubic.threshold*t.delivered+t.prior-1)/t.prior - t.resent
	} else {
		may = max(t.delivered-t.resent, arrived)
		if safe {
			may++
		}
		may = min(room, may)
	}
	if t.resent == 0 {
		may = max(may, 1)
	}
	t.cubic.window = out + max(may, 0)
}

// grows reports whether the window may grow: one that the application does not
// fill must not (tcp_is_cwnd_limited).
func (t *TCP) grows() bool {
	return t.limited || t.cubic.slowStart() && t.cubic.window < 2*t.most
}

// transmit sends what the windows allow: first again what was lost.
func (t *TCP) transmit() {
	if t.board.count[lost] > 0 {
		t.resend()
	}
	if t.nxt < t.accepted {
		t.send()
	}
}

// resend sends lost packets again.
func (t *TCP) resend() {
	for i := 0; i < len(t.board.runs) && t.board.count[lost] > 0; i++ {
		quota := t.cubic.window - t.board.count[sent]
		if quota <= 0 {
			return
		}
		if t.board.runs[i].fate != lost {
			continue
		}
		t.board.split(i, min(t.board.runs[i].end, t.board.runs[i].seq+int64(quota)*segment))
		t.repeat(&t.board.runs[i])
		if i == 0 {
			t.timer = off
			t.armTimeout()
		}
	}
}

// repeat sends a run again.
func (t *TCP) repeat(r *run) {
	t.board.set(r, sent)
	r.at, r.again = t.now, true
	t.resent += packets(r.end - r.seq)
	t.launch(r.seq, r.end)
}

// send sends new bytes.
func (t *TCP) send() {
	t.wake()
	from := t.nxt
	quota := t.cubic.window - t.board.count[sent]
	room := t.edge - t.nxt
	if room < t.accepted-t.nxt {
		room -= room % segment // no silly windows
	}
	if n := min(t.accepted-t.nxt, room, int64(quota)*segment); n > 0 {
		t.board.add(from, from+n, t.now)
		t.nxt += n
		t.resent += packets(n)
		t.lastSent = t.now
		t.launch(from, t.nxt)
		t.armProbe()
	}
	t.validate(t.board.count[sent] >= t.cubic.window)
}

// wake does what an idle time asks for before bytes are sent again (RFC 2861,
// tcp_cwnd_restart): the window is halved for each time-out that has passed.
func (t *TCP) wake() {
	if t.board.out() > 0 {
		return
	}
	idle := t.now - t.lastSent
	t.cubic.rest(idle)
	if idle <= t.rto() {
		return
	}
	c := &t.cubic
	c.threshold = t.kept()
	least := min(initialWindow, c.window)
	for idle -= t.rto(); idle > 0 && c.window > least; idle -= t.rto() {
		c.window /= 2
	}
	c.window = max(c.window, least)
	t.usedSince, t.used = t.now, 0
}

// kept is the threshold that an idle time leaves (tcp_current_ssthresh).
func (t *TCP) kept() int {
	if t.cubic.threshold == endless {
		return endless
	}
	return max(t.cubic.threshold, t.cubic.window*3/4)
}

// validate notes whether the window bounds the sender, and takes back what it
// has not used for a time-out (tcp_cwnd_validate).
func (t *TCP) validate(limited bool) {
	out := t.board.out()
	if t.una >= t.usage || limited || !t.limited && out > t.most {
		t.limited, t.most, t.usage = limited, out, t.nxt
	}
	if t.grows() {
		t.used, t.usedSince = 0, t.now
		return
	}
	t.used = max(t.used, out)
	if t.now-t.usedSince >= t.rto() && t.state == open {
		if used := max(t.used, initialWindow); used < t.cubic.window {
			t.cubic.threshold = t.kept()
			t.cubic.window = (t.cubic.window + used) / 2
		}
		t.used, t.usedSince = 0, t.now
	}
}

// expire is what the timer does.
func (t *TCP) expire() {
	kind := t.timer
	switch kind {
	case tailLoss:
		t.tailProbe()
	case reorder:
		t.timer = off
		missing := t.detect()
		t.govern(news{packets: min(missing, 1)}, false, missing)
		t.transmit()
		if t.timer == off {
			t.armTimeout()
		}
	default:
		t.timedOut()
	}
}

// tailProbe sends something whose acknowledgement tells what is missing: new
// bytes, or the last packet again (RFC 8985, section 7).
func (t *TCP) tailProbe() {
	t.timer = off
	if n := min(t.accepted-t.nxt, t.edge-t.nxt, segment); n > 0 {
		from := t.nxt
		t.board.add(from, from+n, t.now)
		t.nxt += n
		t.launch(from, t.nxt)
		t.probeNew = true
	} else if k := len(t.board.runs) - 1; k >= 0 {
		r := t.board.runs[k]
		t.repeat(&t.board.runs[t.board.split(k, r.seq+int64(packets(r.end-r.seq)-1)*segment)])
		t.probeNew = false
	}
	t.probe = t.nxt
	t.armTimeout()
}

// timedOut takes everything for lost that is out and begins again from the
// front (tcp_enter_loss).
func (t *TCP) timedOut() {
	t.timer = off
	if t.board.out() == 0 {
		return
	}
	c := &t.cubic
	if t.state != loss || t.una >= t.high {
		t.undoWindow, t.undoThreshold, t.timedOutAt = c.window, c.threshold, t.now
		c.threshold = c.reduced()
		t.high = t.nxt
	}
	t.state = loss
	c.reset()
	t.probe = 0
	for i := range t.board.runs {
		r := &t.board.runs[i]
		// What was sent only just is not lost for certain.
		if r.fate == sent && (i == 0 || r.at+t.rackRTT+t.shortest/4 <= t.now) {
			t.board.set(r, lost)
			r.again = true
		}
	}
	c.window = t.board.count[sent] + 1
	t.backoff++
	t.resend()
	t.timer = off
	t.armTimeout()
}
