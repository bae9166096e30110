package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
	"github.com/rehearse-dev/rehearse/internal/report"
)

func (a *app) judgeCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "judge [RUN]",
		Short: "Give the verdict again, from the run's evidence alone",
		Long: `Read a run directory and judge its evidence again. RUN is a run's directory, or
its name below .rehearse/runs; without it, the latest run here. Evidence that is
cut short or damaged gives the verdict "unverified", and says why.`,
		Example: "  rehearse judge\n  rehearse judge .rehearse/runs/20261122-161207-4f9k",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := findRun(args)
			if err != nil {
				return err
			}
			result, err := rehearsal.Judge(dir)
			if err != nil {
				return err
			}
			if err := a.printReport(result, asJSON); err != nil {
				return err
			}
			a.exit = outcomeCode(report.Overall(result.Report))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

func findRun(args []string) (string, error) {
	if len(args) == 0 {
		return evidence.Latest(".rehearse")
	}
	if name := filepath.Clean(args[0]); name != "." && filepath.IsLocal(name) {
		if named := filepath.Join(".rehearse", "runs", name); isDir(named) {
			return named, nil
		}
	}
	return args[0], nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// shortPath names a path from here, if that is shorter.
func shortPath(path string) string {
	cwd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(cwd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
