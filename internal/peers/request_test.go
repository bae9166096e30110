package peers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/authority"
	"google.golang.org/grpc"
)

// The faults that understand HTTP/1.1, plain and where the link ends TLS.
func TestHTTPRequests(t *testing.T) {
	needs(t, "curl", "curl")
	plain, _, ended := ways(t, http.HandlerFunc(echo))
	echoes := rehearse.Match{Method: "POST", Path: "/ec*"}
	of := func(kind rehearse.FaultKind, f rehearse.Fault) rehearse.Fault { f.Kind = kind; return f }
	for _, tt := range []struct {
		name     string
		fault    rehearse.Fault
		want     string // how many bytes, and the status
		err      string
		requests int64
		has, no  string // headers of the answer
	}{
		{"abort", of(rehearse.FaultAbort, rehearse.Fault{Status: 503, Body: "busy", Match: echoes}), "4 bytes, 503", "", 1, "", "X-Served"},
		{"abort-header", of(rehearse.FaultAbort, rehearse.Fault{Status: 429, Match: rehearse.Match{Header: "X-Asked: pl*"}}), "0 bytes, 429", "", 1, "", "X-Served"},
		{"delay", of(rehearse.FaultDelay, rehearse.Fault{Delay: ms(10), Match: echoes}), "65536 bytes, 200", "", 1, "X-Served", ""},
		{"delay-down", of(rehearse.FaultDelay, rehearse.Fault{Delay: ms(10), Direction: rehearse.Down, Match: echoes}), "65536 bytes, 200", "", 1, "X-Served", ""},
		{"drop-up", of(rehearse.FaultDropHeader, rehearse.Fault{Header: "X-Asked", Direction: rehearse.Up}), "65536 bytes, 200", "", 1, "X-Served", "X-Heard"},
		{"drop-down", of(rehearse.FaultDropHeader, rehearse.Fault{Header: "X-Served", Direction: rehearse.Down}), "65536 bytes, 200", "", 1, "X-Heard", "X-Served"},
		{"truncate", of(rehearse.FaultTruncate, rehearse.Fault{Bytes: 1000, Match: echoes}), "", "exit status (18|56)", 1, "", ""},
		{"another", of(rehearse.FaultAbort, rehearse.Fault{Status: 503, Match: rehearse.Match{Path: "/other"}}), "65536 bytes, 200", "", 0, "X-Served", ""},
	} {
		for _, s := range []secured{plain, ended} {
			for _, tier := range (peer{}).across() {
				t.Run(fmt.Sprintf("http%s/%s/%s", s.name, tier, tt.name), func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithTimeout(t.Context(), bound)
					defer cancel()
					over := s.link(t, tier)
					ask := func() (string, http.Header, error) {
						got, err := s.curl(ctx, over, "--http1.1", "--no-fail", "-i", "-H", "X-Asked: please")
						if err != nil {
							return "", nil, err
						}
						answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), nil)
						if err != nil {
							return "", nil, err
						}
						b, err := io.ReadAll(answer.Body)
						if err == nil && answer.StatusCode == http.StatusOK {
							err = same("answer", b, body)
						}
						return fmt.Sprintf("%d bytes, %d", len(b), answer.StatusCode), answer.Header, err
					}
					over.set(t, tt.fault)
					got, head, err := ask()
					switch {
					case tt.err != "" && (err == nil || !regexp.MustCompile(tt.err).MatchString(err.Error())):
						t.Errorf("curl ends with %v", err)
					case tt.err == "" && (err != nil || got != tt.want):
						t.Errorf("got %s (%v), want %s", got, err, tt.want)
					}
					if tt.has != "" && head.Get(tt.has) == "" || tt.no != "" && head.Get(tt.no) != "" {
						t.Errorf("want %q and not %q in the answer's head: %v", tt.has, tt.no, head)
					}
					if dose := over.dose(t, tt.fault.ID()); dose.Requests != tt.requests || (dose.Connections > 0) != (tt.requests > 0) {
						t.Errorf("the dose is %+v, want %d requests", dose, tt.requests)
					}
					over.set(t)
					if got, head, err = ask(); err != nil || got != "65536 bytes, 200" || head.Get("X-Served") == "" || head.Get("X-Heard") == "" {
						t.Errorf("after the fault: %s (%v), %v", got, err, head)
					}
				})
			}
		}
	}
}

// A connection that is open learns of a fault with its next request, and stays.
func TestHTTPRequestsLive(t *testing.T) {
	plain, _, _ := ways(t, http.HandlerFunc(echo))
	over := plain.link(t, rehearse.TierStream)
	v := newRoundTripper(over, plain, false)
	defer v.Close()
	for i := range 6 {
		abort := i%2 == 1
		over.set(t)
		if abort {
			over.set(t, rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Body: "busy"})
		}
		err := v.exchange(t.Context())
		if abort && (err == nil || err.Error() != "status 503") || !abort && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if n := over.Stats().Connections; n != 2 { // and that which awaited the link
		t.Errorf("%d connections were made", n-1)
	}
}

// Clients see the flaw that a fault gives the certificate, each in its words, and
// a flawless one again when the fault is gone.
func TestTLSFlaws(t *testing.T) {
	_, passed, ended := ways(t, http.HandlerFunc(echo))
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}))
	server.RegisterService(&echoService, struct{}{})
	_, _, endedGRPC := ways(t, http.HandlerFunc(server.ServeHTTP))
	peers := map[string]struct {
		way   secured
		once  func(context.Context, carried) error
		flaws map[authority.Flaw]string
	}{
		"go": {ended, goHTTP("h2", ended, true).once, map[authority.Flaw]string{
			authority.Expired: "has expired", authority.WrongName: "is valid for wrong-name", authority.Untrusted: "unknown authority",
		}},
		"grpc": {endedGRPC, grpcPeer(endedGRPC).once, map[authority.Flaw]string{
			authority.Expired: "has expired", authority.WrongName: "is valid for wrong-name", authority.Untrusted: "unknown authority",
		}},
		"curl": {ended, curl("h2", ended, true, "--http2").once, map[authority.Flaw]string{
			authority.Expired: "certificate has expired", authority.WrongName: "no alternative certificate subject name", authority.Untrusted: "unable to get local issuer|self.signed",
		}},
	}
	for name, p := range peers {
		for flaw, says := range p.flaws {
			t.Run(fmt.Sprintf("%s/%s", name, flaw), func(t *testing.T) {
				t.Parallel()
				if name == "curl" {
					needs(t, "curl", "curl")
				}
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				over := p.way.link(t, rehearse.TierModel)
				fault := rehearse.Fault{Kind: rehearse.FaultTLS, Code: string(flaw)}
				over.set(t, fault)
				if err := p.once(ctx, over); err == nil || !regexp.MustCompile(says).MatchString(err.Error()) {
					t.Errorf("got %v, want %s", err, says)
				}
				if d := over.dose(t, fault.ID()); d.Connections == 0 {
					t.Errorf("the dose is %+v", d)
				}
				over.set(t)
				if err := p.once(ctx, over); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		}
	}
	t.Run("passed", func(t *testing.T) {
		err := passed.link(t, rehearse.TierStream).Break([]rehearse.Fault{{Kind: rehearse.FaultTLS, Code: "expired"}})
		if rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("a link that passes TLS on takes it: %v", err)
		}
	})
}
