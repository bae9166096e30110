package switchboard

import (
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// nameTTL is for how many seconds a client may keep an answer.
const nameTTL = 5

// answer answers a DNS query from a client's names, whose keys are in lower case
// and without the last dot. unknown is the name that was asked for and is none of
// them; names for looking up addresses do not count. It is nil for what is not a
// query.
func answer(query []byte, names map[string]netip.Addr) (out []byte, unknown string) {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil || head.Response {
		return nil, ""
	}
	reply := dnsmessage.Message{Header: dnsmessage.Header{
		ID: head.ID, Response: true, OpCode: head.OpCode, Authoritative: true,
		RecursionDesired: head.RecursionDesired, RecursionAvailable: true,
	}}
	questions, err := p.AllQuestions()
	switch {
	case head.OpCode != 0:
		reply.RCode = dnsmessage.RCodeNotImplemented
	case err != nil || len(questions) != 1:
		reply.RCode = dnsmessage.RCodeFormatError
	default:
		q := questions[0]
		reply.Questions = questions
		name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
		addr, ok := names[name]
		if !ok {
			reply.RCode = dnsmessage.RCodeNameError
			if !strings.HasSuffix(name, ".arpa") {
				unknown = name
			}
		} else if q.Class == dnsmessage.ClassINET && (q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeALL) && addr.Is4() {
			reply.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeA, Class: q.Class, TTL: nameTTL},
				Body:   &dnsmessage.AResource{A: addr.As4()},
			}}
		}
	}
	out, err = reply.Pack()
	if err != nil {
		return nil, ""
	}
	return out, unknown
}
