package recipe

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The few methods of AMQP 0-9-1's class connection that logging in takes.
const (
	amqpConnection = 10

	amqpStart   = 10
	amqpStartOK = 11
	amqpTune    = 30
	amqpTuneOK  = 31
	amqpOpen    = 40
	amqpOpenOK  = 41
	amqpClose   = 50
)

// askAMQP speaks AMQP 0-9-1 as far as it takes to be inside: the broker's
// greeting, and then the account's login and virtual host.
func askAMQP(conn io.ReadWriter, a rabbitmqAccount) error {
	if _, err := io.WriteString(conn, "AMQP\x00\x00\x09\x01"); err != nil {
		return err
	}
	if _, err := expectAMQP(conn, amqpStart); err != nil {
		return err
	}
	if a.unknown {
		return nil
	}
	// The one capability makes the broker say why it refuses a login. Without it
	// the connection just ends, three seconds later.
	can := append(appendShort(nil, "authentication_failure_close"), 't', 1)
	properties := append(appendShort(nil, "capabilities"), 'F')
	properties = appendLong(properties, string(can))
	b := appendLong(nil, string(properties))
	b = appendShort(b, "PLAIN")
	b = appendLong(b, "\x00"+a.user+"\x00"+a.password)
	b = appendShort(b, "en_US")
	if err := sayAMQP(conn, amqpStartOK, b); err != nil {
		return err
	}
	tune, err := expectAMQP(conn, amqpTune)
	if err != nil {
		return fmt.Errorf("log in as %s: %w", a.user, err)
	}
	if len(tune) < 8 {
		return fmt.Errorf("rabbitmq's connection.tune is too short")
	}
	if err := sayAMQP(conn, amqpTuneOK, tune[:8]); err != nil {
		return err
	}
	b = appendShort(nil, a.vhost)
	b = append(b, 0, 0) // two fields that are reserved
	if err := sayAMQP(conn, amqpOpen, b); err != nil {
		return err
	}
	if _, err := expectAMQP(conn, amqpOpenOK); err != nil {
		return fmt.Errorf("open the virtual host %s: %w", a.vhost, err)
	}
	// Code 200, no text, no offending method. The broker's answer is its own.
	b = binary.BigEndian.AppendUint16(nil, 200)
	return sayAMQP(conn, amqpClose, append(b, 0, 0, 0, 0, 0))
}

// sayAMQP sends a method of the connection as a frame.
func sayAMQP(w io.Writer, method uint16, args []byte) error {
	frame := []byte{1, 0, 0} // a method, on channel 0
	frame = binary.BigEndian.AppendUint32(frame, uint32(4+len(args)))
	frame = binary.BigEndian.AppendUint16(frame, amqpConnection)
	frame = binary.BigEndian.AppendUint16(frame, method)
	frame = append(frame, args...)
	_, err := w.Write(append(frame, 0xce))
	return err
}

// expectAMQP reads a frame and gives the arguments of the method that it must be.
func expectAMQP(r io.Reader, method uint16) ([]byte, error) {
	const largest = 1 << 20 // far above what a greeting holds
	var head [7]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[3:])
	if head[0] != 1 || size < 4 || size > largest {
		return nil, fmt.Errorf("this is no AMQP 0-9-1: %q", head[:])
	}
	body := make([]byte, size+1)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	class, got := binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	args := body[4:size]
	if class == amqpConnection && got == amqpClose && len(args) > 3 && len(args) >= 3+int(args[2]) {
		return nil, fmt.Errorf("rabbitmq closed the connection: %s", args[3:3+int(args[2])])
	}
	if class != amqpConnection || got != method {
		return nil, fmt.Errorf("rabbitmq sent method %d.%d, not %d.%d", class, got, amqpConnection, method)
	}
	return args, nil
}

func appendShort(b []byte, s string) []byte {
	s = s[:min(len(s), 255)]
	return append(append(b, byte(len(s))), s...)
}

func appendLong(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
