package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse/internal/ledger"
)

func (a *app) costCommand() *cobra.Command {
	var asJSON bool
	var by string
	var since time.Duration
	c := &cobra.Command{
		Use:   "cost",
		Short: "Show what runs and environments have cost",
		Long: `Add up what rehearsals and standing environments of this user on this host have
taken: the processor's time, memory by how long it was held, how long they stood,
and what that costs at the prices under cost in rehearse.yaml. Amounts in
different currencies are not added; what had no price when it ran has none here.`,
		Example: "  rehearse cost\n  rehearse cost --by day --since 168h\n  rehearse cost --by change --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !slices.Contains(ledger.Ways(), by) {
				return usageError("--by takes %s, not %q", strings.Join(ledger.Ways(), ", "), by)
			}
			if since < 0 {
				return usageError("--since must not be below 0, as %v is", since)
			}
			var from time.Time
			if since > 0 {
				from = time.Now().Add(-since)
			}
			entries, skipped, err := a.Ledger().Read(from)
			if err != nil {
				return err
			}
			switch {
			case skipped == 1:
				fmt.Fprintln(a.stderr, "rehearse: one line of the ledger cannot be read and is left out")
			case skipped > 1:
				fmt.Fprintf(a.stderr, "rehearse: %d lines of the ledger cannot be read and are left out\n", skipped)
			}
			sums := ledger.By(by, entries)
			if asJSON {
				return printJSON(a, sums)
			}
			t := table{head: []string{strings.ToUpper(by), "RUNS", "CPU", "MEMORY", "STOOD", "COST"}}
			for _, s := range sums {
				t.add(s.Key, strconv.Itoa(s.Count), fmt.Sprintf("%.3g h", s.Hours), fmt.Sprintf("%.3g GiB·h", s.Memory), fmt.Sprintf("%.3g h", s.Stood), s.Amounts())
			}
			return t.print(a)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&by, "by", "project", "put together by "+strings.Join(ledger.Ways(), ", "))
	c.Flags().DurationVar(&since, "since", 30*24*time.Hour, "what ended so long ago or later; 0: everything")
	_ = c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(ledger.Ways(), cobra.ShellCompDirectiveNoFileComp))
	return c
}
