package packet

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// poll waits for two devices, a kernel timer and the word to stop.
type poll struct {
	epoll, timer, event int
	armed               bool
	near, far           int
}

// readiness is what a poll found.
type readiness struct{ near, far, stop bool }

func newPoll(near, far int) (_ *poll, err error) {
	p := &poll{epoll: -1, timer: -1, event: -1, near: near, far: far}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, err
	}
	if p.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, err
	}
	for _, fd := range []int{near, far, p.timer, p.event} {
		if err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *poll) close() {
	for _, fd := range []int{p.epoll, p.timer, p.event} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// wake ends the wait, now or when it begins. Any goroutine may call it.
func (p *poll) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	if _, err := unix.Write(p.event, one[:]); err != nil {
		panic(fmt.Sprintf("packet: internal error: wake the wire: %v", err))
	}
}

// wait sleeps for so many nanoseconds at most: negative for ever, 0 not at all.
func (p *poll) wait(ns int64) (readiness, error) {
	timeout := -1
	if ns == 0 {
		timeout = 0
	} else if ns > 0 || p.armed {
		p.armed = ns > 0
		// Setting a timer also takes back its expiry; 0 switches it off.
		spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(0, ns))}
		if err := unix.TimerfdSettime(p.timer, 0, &spec, nil); err != nil {
			return readiness{}, err
		}
	}
	var r readiness
	var events [4]unix.EpollEvent
	n, err := unix.EpollWait(p.epoll, events[:], timeout)
	if err != nil && err != unix.EINTR {
		return r, err
	}
	for _, e := range events[:max(0, n)] {
		switch int(e.Fd) {
		case p.near:
			r.near = true
		case p.far:
			r.far = true
		case p.event:
			r.stop = true
		}
	}
	return r, nil
}
