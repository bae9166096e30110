package environment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// keyPrefix begins the name of a file by which those who share an environment take
// turns.
const keyPrefix = ".key-"

// LockKey waits for its turn with those who look for a shared environment of this
// key or bring it up. The kernel ends the turn of a process that dies.
func (s *Store) LockKey(ctx context.Context, key string) (unlock func(), err error) {
	if err := os.MkdirAll(s.Root, 0o755); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	sum := sha256.Sum256([]byte(key))
	path := filepath.Join(s.Root, keyPrefix+hex.EncodeToString(sum[:8]))
	for {
		unlock, err := tryKey(path)
		if unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tryKey takes the lock if it is free. Its file goes with the last turn, so that
// one that was taken may be a file that is gone.
func tryKey(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the shared environment: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, fmt.Errorf("lock the shared environment: %w", err)
	}
	ours, err := f.Stat()
	if now, nowErr := os.Stat(path); err != nil || nowErr != nil || !os.SameFile(ours, now) {
		f.Close()
		return nil, nil
	}
	return func() {
		_ = os.Remove(path) // who waits makes another
		f.Close()
	}, nil
}
