// Command rehearse is a dress rehearsal for production, for every pull request.
package main

import (
	"os"

	"github.com/rehearse-dev/rehearse/internal/cli"
)

func main() { os.Exit(cli.Main()) }
