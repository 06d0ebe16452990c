//go:build !unix

package origin

const canReadAtOnce = false

func (s *socket) readFD(uintptr) {}
