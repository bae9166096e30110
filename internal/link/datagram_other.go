//go:build !linux

package link

// refuse can do nothing here: datagrams that are refused are lost.
func (s *socket) refuse(bool) {}
