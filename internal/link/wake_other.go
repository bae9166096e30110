//go:build !unix

package link

import "time"

// wakeTime is not known here.
func wakeTime() time.Duration { return 0 }
