package main

import (
	"fmt"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/figures"
)

// found reports whether the fault passed in staging and was found in production.
func (r result) found() bool {
	return r.AsItIs.Staging == rehearse.Pass && r.AsItIs.Production == rehearse.Fail && !r.AsItIs.void()
}

// passed reports whether both legs have passed.
func (v verdict) passed() bool {
	return v.Staging == rehearse.Pass && v.Production == rehearse.Pass && !v.void()
}

// falseAlarm reports whether a verdict of a corrected service is one.
func (v verdict) falseAlarm() bool {
	return !v.void() && (v.Staging == rehearse.Fail || v.Production == rehearse.Fail)
}

// right reports whether every verdict is as it should be.
func (r result) right() bool {
	for _, v := range r.Corrected {
		if !v.passed() {
			return false
		}
	}
	return r.found()
}

// table is a line for each service.
func table(results []result) string {
	lines := [][]string{{"service", "fault", "staging", "production", "found by", "diagnosis", "corrected"}}
	for _, r := range results {
		diagnosis := r.AsItIs.Diagnosis
		if diagnosis == "" {
			diagnosis = figures.None
		}
		lines = append(lines, []string{
			r.Service, r.Fault, string(r.AsItIs.Staging), string(r.AsItIs.Production),
			strings.Join(r.AsItIs.FoundBy, "; "), diagnosis, r.corrected(),
		})
	}
	return figures.Table(lines)
}

// corrected says how the corrected service did.
func (r result) corrected() string {
	passed, alarms := 0, 0
	for _, v := range r.Corrected {
		switch {
		case v.passed():
			passed++
		case v.falseAlarm():
			alarms++
		}
	}
	s := fmt.Sprintf("%d of %d pass", passed, len(r.Corrected))
	if alarms > 0 {
		s += fmt.Sprintf(", %d FAIL", alarms)
	}
	if unsure := len(r.Corrected) - passed - alarms; unsure > 0 {
		s += fmt.Sprintf(", %d unverified", unsure)
	}
	return s
}

// totals says how often all was as it should be.
func totals(results []result) string {
	staging, detected, named, alarms, unsure, rounds := 0, 0, 0, 0, 0, 0
	for _, r := range results {
		if r.AsItIs.Staging == rehearse.Pass {
			staging++
		}
		if r.found() {
			detected++
		}
		if r.AsItIs.Diagnosis != "" {
			named++
		}
		for _, v := range r.Corrected {
			rounds++
			switch {
			case v.falseAlarm():
				alarms++
			case !v.passed():
				unsure++
			}
		}
	}
	n := len(results)
	return fmt.Sprintf("staging passes %d/%d · detected in production %d/%d · diagnosed %d/%d · false alarms on the corrected %d/%d · unverified %d/%d\n",
		staging, n, detected, n, named, n, alarms, rounds, unsure, rounds)
}
