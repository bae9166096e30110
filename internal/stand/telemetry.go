package stand

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// Kept is what an environment answers about its telemetry; the spans and logs come
// beside it.
type Kept struct {
	Links []rehearse.LinkSpec      `json:"links"`
	Kept  rehearse.TelemetryResult `json:"kept"`
}

// MaxAsked is how many spans or log records an environment gives at once, the
// newest ones.
const MaxAsked = 200_000

// answerTelemetry gives all spans and logs that are kept, each as one message of
// OTLP, over the files that came with the request.
func answerTelemetry(ctx context.Context, env *environment.Environment, store *telemetry.Store, files []*os.File) (Kept, error) {
	if len(files) != 2 {
		return Kept{}, fmt.Errorf("telemetry comes with %d streams, not 2", len(files))
	}
	env.Flush()
	for i, all := range []func() []byte{
		func() []byte {
			return telemetry.EncodeSpans(store.Spans(telemetry.Query{Limit: MaxAsked, Newest: true}))
		},
		func() []byte { return otlp.AppendLogs(nil, store.Logs(telemetry.LogQuery{Limit: MaxAsked})) },
	} {
		w, err := until(ctx, files[i])
		if err != nil {
			return Kept{}, err
		}
		_, err = w.Write(all())
		if err := errors.Join(err, w.Close()); err != nil {
			return Kept{}, err
		}
	}
	return Kept{Links: env.Plan().Links, Kept: store.Stats()}, nil
}

// until is a client's pipe to which writing fails when ctx has ended. A client
// that has stopped reading must not keep the environment standing. It is to be
// closed.
func until(ctx context.Context, f *os.File) (*os.File, error) {
	// What came over the control socket blocks, and so has no deadlines. The pipe is
	// for us alone to write to.
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), syscall.Close(fd))
	}
	w := os.NewFile(uintptr(fd), f.Name())
	context.AfterFunc(ctx, func() { _ = w.SetWriteDeadline(time.Unix(1, 0)) }) // a closed file has none
	return w, nil
}

// answerTail writes each span as it comes, as a message of OTLP behind its
// length, until the client has gone.
func answerTail(ctx context.Context, store *telemetry.Store, files []*os.File) error {
	if len(files) != 1 {
		return fmt.Errorf("tail comes with %d streams, not 1", len(files))
	}
	w, err := until(ctx, files[0])
	if err != nil {
		return err
	}
	defer w.Close()
	for span := range store.Watch(ctx, 4096) {
		b := telemetry.EncodeSpans([]rehearse.Span{span})
		b = slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b)
		if _, err := w.Write(b); err != nil {
			return nil // it has gone
		}
	}
	return nil
}
