package node

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// crowded is a control listener's server, and how a client connects to it.
func crowded(t *testing.T) (s *httptest.Server, connect func() net.Conn) {
	t.Helper()
	return crowdedAt(t, func(*http.Request) {})
}

// crowdedAt is the same, with something before each answer.
func crowdedAt(t *testing.T, before func(r *http.Request)) (s *httptest.Server, connect func() net.Conn) {
	t.Helper()
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before(r)
		io.WriteString(w, "here")
	}))
	new(crowd).serve(s.Config)
	s.Start()
	t.Cleanup(s.Close)
	return s, func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// answers sends a request over a connection, and returns an error if there is no answer.
func answers(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: here\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// isClosed waits until the other side has closed the connection.
func isClosed(conn net.Conn) bool {
	conn.SetDeadline(time.Now().Add(time.Minute))
	_, err := conn.Read(make([]byte, 1))
	e, ok := err.(net.Error)
	return err != nil && !(ok && e.Timeout())
}

// One client opens many connections and says nothing: another is served all the same, and the first of the silent ones are closed.
func TestControlListener_ManySilent(t *testing.T) {
	_, connect := crowded(t)
	talks := connect()
	if err := answers(talks); err != nil {
		t.Fatal(err)
	}
	silent := make([]net.Conn, 2*maxControlSilent)
	for i := range silent {
		silent[i] = connect()
	}
	if err := answers(connect()); err != nil {
		t.Errorf("who comes after them: %v", err)
	}
	if err := answers(talks); err != nil {
		t.Errorf("who was there before: %v", err)
	}
	for i, conn := range silent[:maxControlSilent] {
		if !isClosed(conn) {
			t.Fatalf("%d of the silent ones stays", i)
		}
	}
}

// One client asks over many connections, and keeps them: one that waits makes room.
func TestControlListener_ManyIdle(t *testing.T) {
	_, connect := crowded(t)
	for i := range maxControlConns {
		if err := answers(connect()); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if err := answers(connect()); err != nil {
		t.Errorf("who comes after them: %v", err)
	}
}

// Clients send bodies that do not end, as many as there may be, whether or not somebody reads them: who comes takes the place of the first.
func TestControlListener_ManySlowBodies(t *testing.T) {
	for _, read := range []bool{true, false} {
		begun := make(chan struct{})
		_, connect := crowdedAt(t, func(r *http.Request) {
			if r.Method != "POST" {
				return
			}
			begun <- struct{}{}
			if read {
				io.Copy(io.Discard, r.Body)
			}
		})
		slow := make([]net.Conn, maxControlConns)
		for i := range slow {
			slow[i] = connect()
			fmt.Fprint(slow[i], "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\na")
			select {
			case <-begun:
			case <-time.After(time.Minute):
				t.Fatalf("request %d does not come", i)
			}
		}
		if err := answers(connect()); err != nil {
			t.Errorf("read: %v: who comes after them: %v", read, err)
		}
		if !isClosed(slow[0]) {
			t.Error("the first of them stays")
		}
	}
}

func TestCrowd(t *testing.T) {
	var c crowd
	all := make([]net.Conn, maxControlConns+2)
	for i := range all {
		all[i], _ = net.Pipe()
	}
	become := func(i int, state http.ConnState, out net.Conn) {
		t.Helper()
		if got := c.note(all[i], state); got != out {
			t.Fatalf("connection %d in %v: another one has to go, or none", i, state)
		}
	}
	for i := range maxControlConns {
		become(i, http.StateNew, nil)
		become(i, http.StateActive, nil)
	}
	become(maxControlConns, http.StateNew, all[maxControlConns]) // all others are being answered
	become(7, http.StateIdle, nil)
	become(3, http.StateIdle, nil)
	become(maxControlConns, http.StateNew, all[7])
	become(maxControlConns+1, http.StateNew, all[3])
	for i := range maxControlConns {
		become(i, http.StateClosed, nil)
	}
	if len(c.conns) != 2 {
		t.Errorf("%d connections are remembered, of 2", len(c.conns))
	}
	for i := range maxControlSilent - 2 {
		become(i, http.StateNew, nil)
	}
	become(maxControlSilent, http.StateNew, all[maxControlConns])
	become(maxControlSilent+1, http.StateNew, all[maxControlConns+1])
	become(maxControlSilent+2, http.StateHijacked, nil)
}

// Full of those who wait, and of as many who say nothing as there may be: who comes takes the place of one of these.
func TestCrowd_FullAndSilent(t *testing.T) {
	var c crowd
	all := make([]net.Conn, maxControlConns+1)
	for i := range all {
		all[i], _ = net.Pipe()
		if i < maxControlConns-maxControlSilent {
			c.note(all[i], http.StateNew)
			c.note(all[i], http.StateActive)
			c.note(all[i], http.StateIdle)
		} else if out, last := c.note(all[i], http.StateNew), i == maxControlConns; out != nil && !last || last && out != all[maxControlConns-maxControlSilent] {
			t.Fatalf("connection %d: another one has to go, or none", i)
		}
	}
	// Nobody waits, and few say nothing: the oldest of them.
	for i := range maxControlConns - maxControlSilent {
		c.note(all[i], http.StateActive)
	}
	for i := maxControlConns - maxControlSilent + 1; i < maxControlConns-1; i++ {
		c.note(all[i], http.StateActive)
	}
	if out := c.note(all[maxControlConns-maxControlSilent], http.StateNew); out != all[maxControlConns-1] {
		t.Error("another one has to go than the oldest without a request")
	}
}
