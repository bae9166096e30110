package link

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// early is how long before a deadline the engine wants to be woken. It spins for
// the rest: a wake-up takes some 50 µs, and how long exactly nobody knows.
const early = 80 * time.Microsecond

// waitPrecisely is the most exact wait that the system has. The engine starts
// with the first call that has to wait at all, so a link that delays nothing
// works inside a testing/synctest bubble; a test of one that does delay sets the
// link's wait to waitTimer.
func waitPrecisely(until time.Time, stop, kick <-chan struct{}) bool {
	left := time.Until(until)
	if left <= 0 {
		return true
	}
	if left < early {
		spin(until)
		return true
	}
	if e := theEngine(); e != nil {
		return e.wait(until, stop, kick)
	}
	return waitTimer(until, stop, kick)
}

// theEngine is the one engine of the process. It is never stopped: it costs a
// parked goroutine and a descriptor, and links come and go. It is nil where the
// kernel gives no timer.
var theEngine = sync.OnceValue(func() *engine {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	e := &engine{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}
	go e.run()
	return e
})

// engine wakes goroutines at their time. One kernel timer, a descriptor that
// Go's poller waits for, serves them all; its error is some tens of microseconds
// where that of Go's timers is up to a millisecond.
//
// A poller is asked only by a processor that has nothing else to do, while Go's
// timers are looked at before every goroutine that runs. So a Go timer is set
// beside the kernel's, and on a busy process whichever is first does the work.
type engine struct {
	fd   int
	file *os.File // of fd; reading it waits in the poller

	mu      sync.Mutex
	alarms  alarms
	armed   time.Time // what the timers are set to; zero when to nothing
	backup  *time.Timer
	working bool // a goroutine is in fire and will set the timers when it leaves
}

// wait is a wait on this engine.
func (e *engine) wait(until time.Time, stop, kick <-chan struct{}) bool {
	a := alarmPool.Get().(*alarm)
	a.at = until
	e.add(a)
	came := true
	select {
	case <-a.ring:
	case <-stop:
		came = e.give(a)
	case <-kick:
		came = e.give(a)
	}
	alarmPool.Put(a)
	return came
}

// give takes an alarm back that nobody waits for any more, and returns false.
func (e *engine) give(a *alarm) bool {
	if !e.remove(a) {
		<-a.ring // it rings at this moment
	}
	return false
}

func (e *engine) add(a *alarm) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.alarms.push(a)
	if e.alarms[0] == a && !e.working {
		e.arm(a.at)
	}
}

// remove takes an alarm back and reports whether it had not rung.
func (e *engine) remove(a *alarm) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a.index < 0 {
		return false
	}
	e.alarms.remove(a.index)
	return true
}

// arm sets both timers for an alarm. The caller holds mu.
func (e *engine) arm(at time.Time) {
	if at.Equal(e.armed) {
		return
	}
	e.armed = at
	// Setting a timer to 0 would switch it off.
	d := max(1, time.Until(at)-early)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(e.fd, 0, &spec, nil); err != nil {
		panic(fmt.Sprintf("link: internal error: set timer: %v", err))
	}
	if e.backup == nil {
		e.backup = time.AfterFunc(d+early, e.fire)
	} else {
		e.backup.Reset(d + early)
	}
}

// run waits for the kernel's timer, for ever.
func (e *engine) run() {
	var expirations [8]byte
	for {
		if _, err := e.file.Read(expirations[:]); err != nil {
			panic(fmt.Sprintf("link: internal error: read timer: %v", err))
		}
		e.fire()
	}
}

// fire rings every alarm whose time has come, spins for one that is near, and
// sets the timers for the next.
func (e *engine) fire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.working {
		// The scheduler may have put the other one aside in its spin.
		e.ring(time.Now())
		if len(e.alarms) > 0 {
			e.backup.Reset(time.Until(e.alarms[0].at))
		}
		return
	}
	e.working = true
	for {
		rung := e.ring(time.Now())
		if len(e.alarms) == 0 {
			e.armed = time.Time{}
			break
		}
		next := e.alarms[0].at
		if time.Until(next) > early {
			e.arm(next)
			break
		}
		e.backup.Reset(time.Until(next))
		e.mu.Unlock()
		if rung {
			runtime.Gosched() // those that were woken go first
		}
		spin(next)
		e.mu.Lock()
	}
	e.working = false
}

// ring rings every alarm up to now and reports whether there was any. The caller
// holds mu.
func (e *engine) ring(now time.Time) bool {
	rung := false
	for len(e.alarms) > 0 && !e.alarms[0].at.After(now) {
		a := e.alarms[0]
		e.alarms.remove(0)
		a.ring <- struct{}{}
		rung = true
	}
	return rung
}

// spin keeps the processor until a time that is very near.
func spin(until time.Time) {
	for time.Now().Before(until) {
	}
}
