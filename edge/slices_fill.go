package edge

import (
	"io"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// sliceState is what a flight for a slice has met.
type sliceState uint8

const (
	sliceComes   sliceState = iota // the slice is on its way
	sliceChanged                   // there is another version
	sliceRefused                   // the origin does not give slices
	sliceFailing                   // the origin answered with an error
)

// fillSlice is fill for a slice.
func (f *flight) fillSlice() error {
	if !f.alone {
		f.tape.sure = f.cut.is.Size
	}
	if src := f.cut.source; src != nil {
		return f.fillFrom(src)
	}
	resp, err := f.fetch(nil)
	if err != nil {
		why, status := failureOf(err)
		if why == ViewerGone {
			return nil // cancelled: nobody waits
		}
		f.e.noteFailure(f.site, f.asked, why, err)
		f.begin(&head{status: status, failure: why, outcome: Failed, reason: why, forAll: true, from: f.asked.Origin.ID, retry: f.retry})
		return nil
	}
	defer resp.Body.Close()
	h := f.judgeSlice(resp)
	f.begin(h)
	if h.slice != sliceComes {
		return nil
	}
	return f.pump(resp, h)
}

// fillFrom reads the slice from what is still coming of an answer, and gives the rest back to its viewer.
func (f *flight) fillFrom(src *source) error {
	r := f.cut.is.Range(f.cut.n)
	h := f.sliceHead(httpcache.Verdict{OK: true, Fresh: f.cut.of.Fresh})
	f.begin(h)
	resp := &origin.Response{Body: src.body}
	if src.end > r.Start+r.Length {
		resp.Body = &section{src.body, r.Length}
	}
	if err := f.pump(resp, h); err != nil {
		src.close()
		return err
	}
	src.off = r.Start + r.Length
	f.mu.Lock()
	if !f.leaderGone && src.off < src.end {
		f.source, src = src, nil
	}
	f.mu.Unlock()
	src.close()
	return nil
}

// section ends after left octets of a body that may go on.
type section struct {
	io.ReadCloser
	left int64
}

func (s *section) Read(p []byte) (n int, err error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err = s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	switch s.left -= int64(n); {
	case s.left == 0:
		return n, io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// judgeSlice makes the head of what the origin answered to the question for a slice.
func (f *flight) judgeSlice(resp *origin.Response) *head {
	v := f.verdict(resp.Status, resp.Fields, resp.FirstByte, f.e.now())
	h := f.sliceHead(v)
	h.latency, h.from = resp.FirstByte, f.asked.Origin.ID
	verdict := f.cut.is.Judge(f.cut.n, resp.Status, resp.Fields, resp.ContentLength)
	switch {
	case resp.Status >= 500:
		h.slice = sliceFailing
	case verdict == httpcache.SliceRefused:
		h.slice = sliceRefused
		f.e.flights.uncut.note(f.hash, f.e.clock(), true)
	case verdict == httpcache.SliceChanged, !f.hasTags(resp.Fields), version(f.cut.of) != f.version(f.cut.is):
		h.slice = sliceChanged
	default:
		return h
	}
	h.keep, h.forAll = false, true
	return h
}

// sliceHead is the head of a slice that is on its way. What may not be stored is for one viewer only.
func (f *flight) sliceHead(v httpcache.Verdict) *head {
	fields := message.Fields{{Name: sliceField, Value: version(f.cut.of)}}
	if is := f.cut.of.Subject.ContentType; is != "" {
		fields.Add("Content-Type", is) // a condition that means the map means its slices
	}
	return &head{
		status: sliceStatus, length: f.cut.is.Range(f.cut.n).Length, fresh: v.Fresh, noStore: v.Reason,
		shared: fields,
		keep:   v.OK && !f.alone, forAll: v.OK,
	}
}

// takeSource is what is left of the answer behind what the flight has brought, for who began it; nil: nothing.
func (r *reader) takeSource() *source {
	if r == nil || !r.first {
		return nil
	}
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	src := r.f.source
	if src != nil {
		r.f.source, r.f.sourceTaken = nil, true
	}
	return src
}

// lend counts what viewers hold who take their time with what has come: a slice, or what is not in the store's pages, which
// that counts. With f.mu.
func (f *flight) lend() {
	now := int64(0)
	if f.ended && len(f.readers) > 0 && (f.cut != nil || f.tape.pages == nil) {
		now = f.tape.size - f.tape.base
	}
	f.e.flights.lent.Add(now - f.lent)
	f.lent = now
}

// finish ends the flight's context, unless a source lives in it.
func (f *flight) finish() {
	f.mu.Lock()
	lives := f.source != nil || f.sourceTaken
	f.mu.Unlock()
	if !lives {
		f.cancel()
	}
}

// sliceHeadOf waits for the head of a slice whose answer has been decided on: rules that have come since do not matter.
func (r *reader) sliceHeadOf(v *visit) (*head, error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.head == nil {
		if f.ended {
			return nil, errPoisoned
		}
		if err := f.await(v.ctx); err != nil {
			return nil, err
		}
	}
	return f.head, nil
}
