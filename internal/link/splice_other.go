//go:build !linux

package link

// splice is Linux's.
func (d *direction) splice() error { return errNotBulk }
