package ownapi

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
)

// hung is an edge on another machine that is connected and answers nothing.
type hung struct{ Edge }

func (hung) Receipts(ctx context.Context, _ []ReceiptOf) ([]*edge.Receipt, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hung) Preview(ctx context.Context, _ string, _ *edge.Selection) (*edge.Preview, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hung) Explain(ctx context.Context, _ edge.Question) (*edge.Explanation, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Edges that do not answer are waited for together, not one after the other, and are named; the others have answered.
func TestSurvey_WhoDoesNotAnswerIsNamed(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.view(0, d, "/img/a")
		names := []string{"AAA50-1", "AAA50-2", "AAA50-3"}
		for _, name := range append(names, "ZZZ50-1") {
			if _, err := h.control.Join(h.t.Context(), journal.EdgeJoined{Edge: name, Location: "AAA50", Incarnation: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		h.cfg.Fleet = &Fleet{Connected: func() (all []Place) {
			for _, name := range names {
				all = append(all, Place{Name: name, Location: "AAA50", Edge: hung{}, Verify: func(ctx context.Context, _ *Verification) (*Verified, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}})
			}
			return all
		}}
		const late, silent = "the edge does not answer in time", "the edge does not answer"
		named := func(what string, said map[string]string) {
			t.Helper()
			for _, name := range names {
				if said[name] != late {
					t.Errorf("%s: of %s it says %q", what, name, said[name])
				}
			}
			if said["ZZZ50-1"] != silent {
				t.Errorf("%s: of ZZZ50-1, which is not connected, it says %q", what, said["ZZZ50-1"])
			}
			if len(said) != len(names)+1 {
				t.Errorf("%s: named are %v", what, said)
			}
		}
		within := func(most time.Duration, do func()) {
			t.Helper()
			began := time.Now()
			if do(); time.Since(began) > most {
				t.Errorf("it took %v", time.Since(began))
			}
		}
		type saidT []struct{ Edge, Error string }
		errors := func(all saidT) map[string]string {
			said := map[string]string{}
			for _, e := range all {
				if e.Error != "" {
					said[e.Edge] = e.Error
				}
			}
			return said
		}
		within(patiently.within, func() {
			p := ask[struct {
				Total      struct{ Objects int }
				Unanswered saidT
			}](h, 200, "POST", "/distributions/"+d.ID+"/preview", `{"items":["/img/*"]}`)
			if named("preview", errors(p.Unanswered)); p.Total.Objects != 1 {
				t.Errorf("%+v", p)
			}
		})
		within(patiently.within, func() {
			x := ask[struct {
				Subject struct{ Path string }
				Edges   saidT
			}](h, 200, "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/img/a"}`)
			if named("explain", errors(x.Edges)); x.Subject.Path != "/img/a" {
				t.Errorf("%+v", x)
			}
		})
		inv := h.invalidate(d, "/img/*")
		within(briefly.within, func() {
			r := ask[struct{ Edges saidT }](h, 200, "GET", "/distributions/"+d.ID+"/invalidations/"+inv.ID+"/receipt", "")
			named("receipt", errors(r.Edges))
		})
		within(briefly.within, func() {
			r := ask[struct{ Items []struct{ Edges saidT } }](h, 200, "GET", "/history", "")
			named("history", errors(r.Items[0].Edges))
		})
		within(verifyTime, func() {
			v := ask[struct{ Edges saidT }](h, 200, "POST", "/distributions/"+d.ID+"/verify", `{"path":"/a"}`)
			said := errors(v.Edges)
			for name := range said {
				if !strings.HasPrefix(name, "AAA50-") && name != "ZZZ50-1" {
					delete(said, name) // this test's edges have no sockets
				}
			}
			named("verify", said)
		})
	})
}

func TestExplain_ConditionsAndMode(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.view(0, d, "/img/a")
		explain := func(rest string) explainT {
			t.Helper()
			return ask[explainT](h, 200, "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/img/a","items":["/img/*","/css/*"]`+rest+`}`)
		}
		for _, c := range []struct {
			rest    string
			matches bool
			mode    string
		}{
			{"", true, "remove"},
			{`,"mode":"stale"`, true, "stale"},
			{`,"where":{"status":["200"]}`, true, "remove"},
			{`,"where":{"status":["4xx"]}`, false, "remove"},
			{`,"where":{"contentType":["image/*"]},"mode":"stale"`, false, "stale"},
			{`,"where":{"storedBefore":"1999-01-01T00:00:00Z"}`, false, "remove"},
			{`,"where":{"storedBefore":"2199-01-01T00:00:00Z"}`, true, "remove"},
		} {
			x := explain(c.rest)
			on := 0
			if c.matches {
				on = 1 // of two edges one has it
			}
			if x.Items[0].Matches != c.matches || len(x.Items[0].Edges) != on || x.Items[1].Matches || x.Mode != c.mode || (x.Where != nil) != strings.Contains(c.rest, "where") {
				t.Errorf("%s: %+v", c.rest, x)
			}
		}
		for _, rest := range []string{
			`,"items":["/a"],"mode":"soft"`, `,"items":["/a"],"where":{"status":["teapot"]}`, `,"where":{"status":["404"]}`, `,"mode":"stale"`,
		} {
			h.wantRefusal(400, "InvalidArgument", "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/img/a"`+rest+`}`)
		}
	})
}

// Who has an answer is heard, however many edges there are, and however many of them are silent. Calls at the same time share the places.
func TestSurvey_OfManyEdges(t *testing.T) {
	const many = 5000
	at(t, func(h *house) {
		for _, one := range []int{0, 2} { // in so many is silent
			h.cfg.Fleet = &Fleet{Connected: func() (all []Place) {
				for i := range many {
					all = append(all, Place{Name: fmt.Sprint(i), Location: "AAA50"})
				}
				return all
			}}
			silent := func(p *Place) bool {
				i, err := strconv.Atoi(p.Name)
				return err == nil && one > 0 && i%one == 0
			}
			var calls sync.WaitGroup
			for range 3 {
				calls.Go(func() {
					replies := survey(h.t.Context(), h.Handler, briefly, func(ctx context.Context, p *Place) (string, error) {
						way := 300 * time.Millisecond
						if silent(p) {
							way = time.Hour
						}
						select {
						case <-time.After(way):
							return p.Name, nil
						case <-ctx.Done():
							return "", ctx.Err()
						}
					})
					if len(replies) != len(edgeNames)+many {
						h.t.Errorf("%d replies", len(replies))
					}
					for _, r := range replies {
						if late := silence(r.err) != ""; late != silent(r.Place) {
							h.t.Errorf("%s: %v", r.Name, r.err)
							return
						}
					}
				})
			}
			calls.Wait()
		}
	})
}
