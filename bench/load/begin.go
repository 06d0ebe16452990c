package load

import (
	"net"
	"net/netip"
	"time"
)

// Begin asks once on a connection of its own and waits for the first octets of the answer. The connection is never
// closed: for an answer that does not end, as long as the process lasts.
func Begin(to netip.AddrPort, request []byte) error {
	c, err := net.DialTimeout("tcp", to.String(), drain)
	if err != nil {
		return err
	}
	begun = append(begun, c)
	if _, err := c.Write(request); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(drain))
	_, err = c.Read(make([]byte, firstRead))
	return err
}

// begun keeps the collector from closing them.
var begun []net.Conn
