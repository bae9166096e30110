package contest_test

import (
	"os"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/contest"
)

// TestProcess has a child that greets, works for a moment and ends with its input.
func TestProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	p, err := contest.Start(t.Context(), []string{"WORD=hello"}, "sh", "-c", `
		echo "\"$WORD\""; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo worked; cat; exit 3`)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	var word string
	if err := p.Greeting(&word); err != nil || word != "hello" {
		t.Errorf("it greets with %q (%v), want hello", word, err)
	}
	if line, err := p.Stdout.ReadString('\n'); err != nil || line != "worked\n" {
		t.Errorf("then it says %q (%v)", line, err)
	}
	if cpu, err := p.CPU(); err != nil || cpu <= 0 {
		t.Errorf("it took %v of the processor (%v)", cpu, err)
	}
	if memory, err := p.Resident(); err != nil || memory < 100<<10 {
		t.Errorf("it has %.0f bytes (%v)", memory, err)
	}
	if files, err := p.Descriptors(); err != nil || files < 3 {
		t.Errorf("it has %v descriptors open (%v)", files, err)
	}
	if err := p.End(); err == nil {
		t.Error("it ends with exit code 3, and no error is told")
	}
}

func TestAccount(t *testing.T) {
	a := contest.ReadAccount()
	if got := a.Others(a); got != 0 {
		t.Errorf("in no time others have taken %v", got)
	}
	if got := contest.ReadAccount().Others(contest.Account{}); got < 0 || got > 1 {
		t.Errorf("since its start others have taken the share %v of the machine", got)
	}
}
