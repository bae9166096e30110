package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// judgeOutside asks whether somebody else than rehearse and the project had a hand
// in the leg: an engine that does so on its own, or a person at its command line.
// A pause that was over before the first step, and kept nothing from becoming
// ready, has changed nothing that is judged.
func judgeOutside(ev *rehearse.Evidence, ready rehearse.Finding) *rehearse.Finding {
	type deed struct {
		rehearse.Happening
		at   int // its record
		ends bool
	}
	var deeds []deed
	first := firstStep(ev)
	for i, rec := range ev.Records {
		h := rec.Happening
		if h == nil || !h.Outside {
			continue
		}
		if h.Action == rehearse.HappenedUnpause { // it tells of the pause as a whole
			begun := slices.IndexFunc(deeds, func(d deed) bool {
				return d.Action == rehearse.HappenedPause && d.Service == h.Service && !d.ends
			})
			if begun >= 0 {
				deeds[begun] = deed{deeds[begun].Happening, i, true}
				deeds[begun].Detail = h.Detail
				continue
			}
		}
		deeds = append(deeds, deed{Happening: *h, at: i})
	}
	if len(deeds) == 0 {
		return nil
	}
	harmless := ready.Outcome == rehearse.Pass
	var clauses []string
	for _, d := range deeds {
		harmless = harmless && d.ends && d.at < first
		if !slices.Contains(clauses, d.Detail) {
			clauses = append(clauses, d.Detail)
		}
	}
	f := &rehearse.Finding{Check: "left alone", Evidence: []string{"evidence.jsonl"}}
	said := strings.Join(clauses[:min(len(clauses), maxDeeds)], "; ")
	if more := len(clauses) - maxDeeds; more > 0 {
		said += fmt.Sprintf("; and %d more", more)
	}
	if harmless {
		f.Outcome, f.Got = rehearse.Pass, "paused before the first step"
		f.Detail = fmt.Sprintf("Neither rehearse nor the project did this: %s. It was over before the first step.", said)
		return f
	}
	f.Outcome, f.Got = rehearse.Unverified, count(len(deeds), "thing")+" done from outside"
	f.Detail = fmt.Sprintf("Neither rehearse nor the project did this: %s. What was seen speaks neither for nor against the change.", said)
	f.Hint = "Run the rehearsal again, and leave its containers alone while it runs."
	return f
}

// maxDeeds is how many things a finding repeats.
const maxDeeds = 8

// firstStep is the record with which the first step begins; all of them, where
// none did.
func firstStep(ev *rehearse.Evidence) int {
	for i, rec := range ev.Records {
		if rec.Tick != nil || rec.Load != nil || rec.Suite != nil {
			return i
		}
	}
	return len(ev.Records)
}

// judgeMemory finds services of which a process was killed for want of memory
// while the service went on: one that fell of it has its own finding.
func judgeMemory(plan *rehearse.Plan, ev *rehearse.Evidence) []rehearse.Finding {
	var names []rehearse.ServiceName
	kills, said, fell := map[rehearse.ServiceName]int{}, map[rehearse.ServiceName]string{}, map[rehearse.ServiceName]bool{}
	for _, rec := range ev.Records {
		if h := rec.Happening; h != nil && h.Action == rehearse.HappenedOOM && h.Service != "" {
			if kills[h.Service]++; kills[h.Service] == 1 {
				names, said[h.Service] = append(names, h.Service), h.Detail
			}
		}
		if e := rec.Service; e != nil && e.OutOfMemory {
			fell[e.Service] = true
		}
	}
	var findings []rehearse.Finding
	for _, name := range names {
		if fell[name] {
			continue
		}
		f := rehearse.Finding{
			Outcome: rehearse.Fail, Check: "within memory", Got: fmt.Sprintf("killed %d×", kills[name]),
			Detail:   fmt.Sprintf("The kernel killed a process of a service that went on: %s", sentence(said[name])),
			Evidence: []string{"evidence.jsonl", logFile(name)},
			Hint:     fmt.Sprintf("Give %s more memory, or have it use less.", name),
		}
		if s, ok := plan.Service(name); !ok || s.Limits.Memory == 0 {
			f.Outcome = rehearse.Unverified
			f.Hint = "The service has no limit of its own, so it was the host, or what limits the engine, that ran out. Give it more memory."
		}
		findings = append(findings, f)
	}
	return findings
}
