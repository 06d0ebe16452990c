package fleet

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever the machine, nothing is known to be applied before it can have come, and Completed not before the farthest
// edge's word can have come back.
func TestRun_NothingIsFasterThanTheWay(t *testing.T) {
	const way = 20 * time.Millisecond
	out, err := Run(t.Context(), Config{Edges: 3, Nearest: way / 4, Farthest: way, Invalidations: 5, Every: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Accepted) != 5 || len(out.Applied) != 5 || len(out.Completed) != 5 {
		t.Fatalf("%+v", out)
	}
	if len(out.Late) == 0 || Quantile(out.Late, 0) < 0 {
		t.Errorf("timers were late by %v", out.Late)
	}
	for i := range out.Applied {
		if out.Applied[i] < way || out.Completed[i] < 2*way || out.Accepted[i] <= 0 {
			t.Errorf("accepted after %v, applied after %v, completed after %v", out.Accepted[i], out.Applied[i], out.Completed[i])
		}
	}
}

func TestDistance_IsEvenBetweenTheNearestAndTheFarthest(t *testing.T) {
	c := Config{Edges: 3, Nearest: 5, Farthest: 15}
	if a, b, d := c.distance(0), c.distance(1), c.distance(2); a != 5 || b != 10 || d != 15 {
		t.Errorf("%d %d %d", a, b, d)
	}
}

// What is under way holds up nothing that comes behind, and comes in order.
func TestLate_BringsEachPieceAsMuchLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const way, every, pieces = 150 * time.Millisecond, time.Millisecond, 100
		in, far := io.Pipe()
		near, out := io.Pipe()
		began := time.Now()
		go func() {
			late(out, in, way)
			out.Close()
		}()
		go func() {
			for i := range pieces {
				far.Write([]byte{byte(i)})
				time.Sleep(every)
			}
			far.Close()
		}()
		for i := range pieces {
			var b [1]byte
			if _, err := near.Read(b[:]); err != nil || b[0] != byte(i) {
				t.Fatalf("piece %d is %d, %v", i, b[0], err)
			}
			if at, due := time.Since(began), way+time.Duration(i)*every; at != due {
				t.Fatalf("piece %d has come after %v, not %v", i, at, due)
			}
		}
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the end is %v", err)
		}
	})
}

func TestLine_BothWaysAndToItsEnd(t *testing.T) {
	there, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	const way = 5 * time.Millisecond
	x, err := lay(there.Addr().String(), way)
	if err != nil {
		t.Fatal(err)
	}
	here, err := net.Dial("tcp", x.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	echo, err := there.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go io.Copy(echo, echo) // ends with the line
	began, said := time.Now(), make([]byte, 5)
	io.WriteString(here, "hello")
	if _, err := io.ReadFull(here, said); err != nil || string(said) != "hello" || time.Since(began) < 2*way {
		t.Errorf("%q, %v, after %v", said, err, time.Since(began))
	}
	x.close()
	if n, err := here.Read(said); err == nil {
		t.Errorf("%d octets more", n)
	}
}

// Beside the journal there is no network, and everything is applied and Completed all the same.
func TestRun_BesideTheJournal(t *testing.T) {
	out, err := Run(t.Context(), Config{Edges: 3, Invalidations: 5, Every: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Applied) != 5 || len(out.Completed) != 5 {
		t.Fatalf("%+v", out)
	}
}

func TestQuantile(t *testing.T) {
	all := []time.Duration{3, 1, 2}
	if Quantile(all, 0.5) != 2 || Quantile(all, 1) != 3 || Quantile(nil, 0.5) != 0 || all[0] != 3 {
		t.Error(Quantile(all, 0.5), Quantile(all, 1), all)
	}
}
