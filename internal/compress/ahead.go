package compress

import (
	"io"
	"sync"
)

// ahead reads a source in a goroutine of its own, two pieces at most before they are taken: so whoever takes them
// can tell a source that is silent from one that is not.
type ahead struct {
	pieces chan part
	free   chan *[]byte
	stop   chan struct{}
	done   chan struct{}
}

// part is what one Read brought. octets lie in room, which goes back to free.
type part struct {
	octets []byte
	room   *[]byte
	err    error
	panic  any // of the source; whoever takes it goes on with it
}

const rooms = 2

var pieceRooms = sync.Pool{New: func() any { b := make([]byte, piece); return &b }}

func readAhead(src io.Reader) *ahead {
	a := &ahead{pieces: make(chan part, rooms+1), free: make(chan *[]byte, rooms), stop: make(chan struct{}), done: make(chan struct{})}
	for range rooms {
		a.free <- pieceRooms.Get().(*[]byte)
	}
	go a.run(src)
	return a
}

func (a *ahead) run(src io.Reader) {
	defer close(a.done)
	defer func() {
		if p := recover(); p != nil {
			a.pieces <- part{panic: p}
		}
	}()
	for {
		select {
		case <-a.stop:
			return
		case room := <-a.free:
			n, err := src.Read(*room)
			a.pieces <- part{octets: (*room)[:n], room: room, err: err} // there is a place for each room
			if err != nil {
				return
			}
		}
	}
}

// wait waits for the goroutine, which has been stopped or has seen the source's end, and gives the rooms back.
func (a *ahead) wait() {
	<-a.done
	for {
		select {
		case room := <-a.free:
			pieceRooms.Put(room)
		case c := <-a.pieces:
			if c.room != nil {
				pieceRooms.Put(c.room)
			}
		default:
			return
		}
	}
}
