//go:build unix

package switchboard

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

// offer is a Unix socket that waits for the container.
type offer struct {
	token  string
	path   string
	l      *net.UnixListener
	came   chan *passing.Channel
	over   chan struct{}
	guests sync.WaitGroup
}

// offerWait is how long the container has, once it has said that it connected.
const offerWait = 3 * time.Second

// newOffer opens the socket. Everybody who can reach its directory may connect:
// in the container even root is a stranger to the host's files.
func newOffer(dir string) (*offer, error) {
	o := &offer{token: rand.Text(), path: filepath.Join(dir, socketName), came: make(chan *passing.Channel), over: make(chan struct{})}
	if err := o.listen(dir); err != nil {
		return nil, fmt.Errorf("open a socket for the link container: %w", err)
	}
	o.guests.Go(o.serve)
	return o, nil
}

func (o *offer) listen(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	name, release, err := passing.Address(o.path)
	if err != nil {
		return err
	}
	defer release()
	if o.l, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"}); err != nil {
		return err
	}
	o.l.SetUnlinkOnClose(false) // the name may have been a detour that is gone by then
	if err := os.Chmod(o.path, 0o666); err != nil {
		return errors.Join(err, o.l.Close())
	}
	return nil
}

func (o *offer) serve() {
	for {
		c, err := o.l.AcceptUnix()
		if err != nil {
			return // withdrawn
		}
		o.guests.Go(func() { o.admit(c) })
	}
}

// admit lets in whoever has the token.
func (o *offer) admit(c *net.UnixConn) {
	_ = c.SetDeadline(time.Now().Add(offerWait))
	ch := passing.FromConn(c)
	var g greeting
	files, err := ch.Read(&g)
	passing.CloseAll(files)
	if err == nil && subtle.ConstantTimeCompare([]byte(g.Token), []byte(o.token)) == 1 {
		_ = c.SetDeadline(time.Time{})
		select {
		case o.came <- ch:
			return
		case <-o.over:
		}
	}
	ch.Close()
}

// taken waits for the container.
func (o *offer) taken() (*passing.Channel, error) {
	select {
	case ch := <-o.came:
		return ch, nil
	case <-time.After(offerWait):
		return nil, errors.New("the link container has connected to another socket than ours")
	}
}

// withdraw closes and removes the socket.
func (o *offer) withdraw() {
	close(o.over)
	o.l.Close()
	_ = os.Remove(o.path)
	o.guests.Wait()
}
