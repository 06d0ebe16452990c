package jetstream

import (
	"context"

	"github.com/nats-io/nats.go"
)

// queue is where the answer to a read comes: up to maxBatch messages, and the mark that ends it.
type queue chan *nats.Msg

// queues are those that nobody waits at. A queue has 32 KiB, edges read all the time, and hardly ever is there more for them than an entry: made
// anew for each read they were half of what a control node with 300 edges left to its collector.
type queues chan queue

func (s queues) take() queue {
	select {
	case q := <-s:
		return q
	default:
		return make(queue, maxBatch+1)
	}
}

// back takes one that nothing comes to any more.
func (s queues) back(q queue) {
	for len(q) > 0 {
		<-q
	}
	select {
	case s <- q:
	default:
	}
}

// answer is what comes to an inbox of its own.
type answer struct {
	of    *session
	sub   *nats.Subscription
	queue queue
	free  queues
}

// answerTo begins to listen at an inbox, until end.
func (l *Log) answerTo(inbox string) (*answer, error) {
	a := &answer{of: l.engine, queue: l.queues.take(), free: l.queues}
	var err error
	if a.sub, err = a.of.nc.ChanSubscribe(inbox, a.queue); err != nil {
		l.queues.back(a.queue)
		return nil, err
	}
	return a, nil
}

// next is the next message: nats.ErrNoResponders when nobody answers, nats.ErrConnectionClosed when nothing more can come.
func (a *answer) next(ctx context.Context) (*nats.Msg, error) {
	select {
	case m := <-a.queue:
		if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
			return nil, nats.ErrNoResponders
		}
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.of.ended:
		return nil, nats.ErrConnectionClosed
	}
}

// end ends listening. Without an error nothing is delivered any more when Unsubscribe has returned.
func (a *answer) end() {
	if a.sub.Unsubscribe() == nil {
		a.free.back(a.queue)
	}
}
