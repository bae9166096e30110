package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// raw carries bytes as they are, so that a service needs no generated code.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (raw) Unmarshal(b []byte, v any) error { *v.(*[]byte) = bytes.Clone(b); return nil }
func (raw) Name() string                    { return "raw" }

// echoService answers a call with its message, and a stream with each of its.
var echoService = grpc.ServiceDesc{
	ServiceName: "echo", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Once",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var b []byte
			err := decode(&b)
			return &b, err
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName: "Talk", ClientStreams: true, ServerStreams: true,
		Handler: func(_ any, s grpc.ServerStream) error {
			for {
				var b []byte
				if err := s.RecvMsg(&b); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				if err := s.SendMsg(&b); err != nil {
					return err
				}
			}
		},
	}},
}

// grpcPeer is gRPC over a way to a server that speaks HTTP/2 for it.
func grpcPeer(s secured) peer {
	return peer{name: "grpc" + s.name, link: s.link, handshakes: s.trusts != nil, checked: s.name == "-tls",
		open: func(_ context.Context, c carried) (conversation, error) {
			return dialGRPC(c, s)
		},
		says: map[ending]string{
			refused: `^Unavailable: .*connection refused`,
			reset:   `^Unavailable: `,
			closed:  `^Unavailable: `,
		},
	}
}

type calls struct{ conn *grpc.ClientConn }

func dialGRPC(c carried, s secured) (calls, error) {
	secrets := insecure.NewCredentials()
	if s.trusts != nil {
		secrets = credentials.NewTLS(&tls.Config{RootCAs: s.pool(), ServerName: "localhost"})
	}
	conn, err := grpc.NewClient("passthrough:///"+c.addr,
		grpc.WithTransportCredentials(secrets), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}, MinConnectTimeout: bound}))
	return calls{conn}, err
}

// exchange makes a call, and then a stream of messages there and back.
func (c calls) exchange(ctx context.Context) error {
	err := c.talk(ctx)
	if s, ok := status.FromError(err); ok && err != nil {
		return fmt.Errorf("%v: %s", s.Code(), s.Message())
	}
	return err
}

func (c calls) talk(ctx context.Context) error {
	var got []byte
	if err := c.conn.Invoke(ctx, "/echo/Once", &body, &got); err != nil {
		return err
	}
	if err := same("call", got, body); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.conn.NewStream(ctx, &echoService.Streams[0], "/echo/Talk")
	if err != nil {
		return err
	}
	for rest := body; len(rest) > 0; rest = rest[8<<10:] {
		message := rest[:8<<10]
		if err := s.SendMsg(&message); err != nil && !errors.Is(err, io.EOF) { // the answer tells why
			return err
		}
		if err := s.RecvMsg(&got); err != nil {
			return err
		}
		if err := same("message", got, message); err != nil {
			return err
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if err := s.RecvMsg(&got); err != io.EOF {
		return fmt.Errorf("behind the last message: %w", err)
	}
	return nil
}

func (c calls) Close() error { return c.conn.Close() }

func TestGRPC(t *testing.T) {
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}))
	server.RegisterService(&echoService, struct{}{})
	plain, passed, ended := ways(t, http.HandlerFunc(server.ServeHTTP))
	matrix(t, []peer{grpcPeer(plain), grpcPeer(passed), grpcPeer(ended)}, append(streams, handshakes))
}

// A channel of gRPC finds its way back by itself.
func TestGRPCReconnects(t *testing.T) {
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}))
	server.RegisterService(&echoService, struct{}{})
	plain, _, _ := ways(t, http.HandlerFunc(server.ServeHTTP))
	over := plain.link(t, "stream")
	c, err := dialGRPC(over, plain)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	if err := c.exchange(ctx); err != nil {
		t.Fatal(err)
	}
	for _, b := range streams {
		if b.id() != "reset" && b.id() != "refuse" && b.id() != "truncate" {
			continue
		}
		over.set(t, b.fault)
		err := c.talk(ctx)
		if b.id() == "refuse" { // it has its connection
			if err != nil {
				t.Errorf("%s: %v", b.id(), err)
			}
		} else if status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", b.id(), err)
		}
		over.set(t)
		var got []byte
		if err := c.conn.Invoke(ctx, "/echo/Once", &body, &got, grpc.WaitForReady(true)); err != nil {
			t.Errorf("after %s: %v", b.id(), err)
		} else if err := same("call", got, body); err != nil {
			t.Errorf("after %s: %v", b.id(), err)
		}
	}
}

// A link that saw the connection begin breaks single calls of it.
func TestGRPCRequests(t *testing.T) {
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}))
	server.RegisterService(&echoService, struct{}{})
	plain, _, ended := ways(t, http.HandlerFunc(server.ServeHTTP))
	for _, s := range []secured{plain, ended} {
		for _, tier := range (peer{}).across() {
			t.Run(fmt.Sprintf("grpc%s/%s", s.name, tier), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				over := s.link(t, tier)
				abort := rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Match: rehearse.Match{Path: "/echo/Once"}}
				over.set(t, abort)
				before := over.Stats().Connections
				c, err := dialGRPC(over, s)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				var got []byte
				if err := c.conn.Invoke(ctx, "/echo/Once", &body, &got); status.Code(err) != codes.Unavailable {
					t.Errorf("the call ends with %v, want Unavailable", err)
				}
				if dose := over.dose(t, abort.ID()); dose.Requests != 1 || dose.Connections != 1 {
					t.Errorf("the dose is %+v, want one request", dose)
				}
				// The connection has seen nothing of it, and goes on.
				over.set(t, rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Match: rehearse.Match{Path: "/other"}})
				for range 3 {
					if err := c.exchange(ctx); err != nil {
						t.Errorf("after the fault: %v", err)
					}
				}
				if n := over.Stats().Connections - before; n != 1 {
					t.Errorf("the calls went over %d connections, want 1", n)
				}
			})
		}
	}
}
