package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// verdict is what a comparison said.
type verdict struct {
	Staging    rehearse.Outcome `json:"staging"`
	Production rehearse.Outcome `json:"production"`
	// FoundBy are the checks that failed in production.
	FoundBy []string `json:"foundBy,omitempty"`
	// Unsure are those of either leg that could not be shown.
	Unsure    []string `json:"unsure,omitempty"`
	Diagnosis string   `json:"diagnosis,omitempty"`
}

// result is what became of one service.
type result struct {
	Service string  `json:"service"`
	Fault   string  `json:"fault"`
	AsItIs  verdict `json:"asItIs"`
	// Corrected are the verdicts of the corrected service, round by round.
	Corrected []verdict `json:"corrected"`
}

// keeper runs the rehearsals.
type keeper struct {
	rehearse string // the command
	dir      string // of the services
	talk     io.Writer
}

// tries is how often a comparison is made at most that is void.
const tries = 3

// visit rehearses a service as it is and, for a number of rounds, corrected.
func (k *keeper) visit(ctx context.Context, s service, rounds int) (result, error) {
	r := result{Service: s.name, Fault: s.fault}
	var err error
	if r.AsItIs, err = k.sure(ctx, s, "as it is"); err != nil {
		return r, err
	}
	for n := range rounds {
		v, err := k.sure(ctx, s, fmt.Sprintf("corrected, %d of %d", n+1, rounds), "-f", "compose.yaml", "-f", "compose.fixed.yaml")
		if err != nil {
			return r, err
		}
		r.Corrected = append(r.Corrected, v)
	}
	return r, nil
}

// sure compares until the comparison is not void, or has been tried often enough.
func (k *keeper) sure(ctx context.Context, s service, what string, args ...string) (v verdict, err error) {
	for range tries {
		started := time.Now()
		if v, err = k.compare(ctx, s, args...); err != nil {
			return v, fmt.Errorf("%s, %s: %w", s.name, what, err)
		}
		fmt.Fprintf(k.talk, "%-12s %-20s staging %s, production %s  (%s)\n", s.name, what, v.Staging, v.Production, time.Since(started).Round(time.Second))
		if !v.void() {
			break
		}
		fmt.Fprintf(k.talk, "%-12s not shown: %s\n", "", strings.Join(v.Unsure, ", "))
	}
	return v, nil
}

// void reports whether a comparison shows nothing, whatever its legs' verdicts
// are: one is unverified, or rehearse itself says that the machine was too busy for
// the load or the links.
func (v verdict) void() bool {
	return v.Staging == rehearse.Unverified || v.Production == rehearse.Unverified ||
		slices.ContainsFunc(v.Unsure, func(check string) bool {
			return strings.HasSuffix(check, ": load offered") || strings.HasSuffix(check, " delay")
		})
}

// compare runs one comparison.
func (k *keeper) compare(ctx context.Context, s service, args ...string) (verdict, error) {
	program, err := filepath.Abs(k.rehearse)
	if err != nil {
		return verdict{}, err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"compare", "--json"}, args...)...)
	cmd.Dir = filepath.Join(k.dir, s.name)
	// A rehearsal that is interrupted takes its environments down.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		// 1 is a verdict, and so is 3 where there is a report.
		if !errors.As(err, &exit) || exit.ExitCode() != 1 && exit.ExitCode() != 3 || out.Len() == 0 {
			return verdict{}, fmt.Errorf("compare: %w\n%s", err, talk.String())
		}
	}
	return read(out.Bytes())
}

// read reads a verdict from a report.
func read(report []byte) (v verdict, err error) {
	var r struct {
		Legs []struct {
			Name     string
			Outcome  rehearse.Outcome
			Findings []struct {
				Check   string
				Outcome rehearse.Outcome
			}
		}
		Diagnosis *rehearse.Diagnosis
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return v, fmt.Errorf("read the report: %w", err)
	}
	if len(r.Legs) != 2 {
		return v, fmt.Errorf("the report has %d legs, not 2", len(r.Legs))
	}
	v.Staging, v.Production = r.Legs[0].Outcome, r.Legs[1].Outcome
	for _, l := range r.Legs {
		for _, f := range l.Findings {
			switch {
			case f.Outcome == rehearse.Fail && l.Name == "production":
				v.FoundBy = append(v.FoundBy, f.Check)
			case f.Outcome == rehearse.Unverified:
				v.Unsure = append(v.Unsure, l.Name+": "+f.Check)
			}
		}
	}
	if r.Diagnosis != nil {
		v.Diagnosis = r.Diagnosis.Sentence
	}
	return v, nil
}
