package guarantee

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/distribution"
)

func TestTurns_EveryPlaceIsFirstNowAndThen(t *testing.T) {
	places, err := placesIn([]byte(`{"edges": [{"location": "LHR"}, {"location": "FRA"}, {"location": "FRA"}, {"location": "IAD"}]}`))
	if err != nil || !slices.Equal(places, []string{"FRA", "IAD", "LHR"}) {
		t.Fatalf("%q, %v", places, err)
	}
	first := map[string]int{}
	for order := range uint64(64) {
		x := Turns{Order: order + 1}
		got := x.of(places)
		if again := x.of(places); !slices.Equal(got, again) || len(got) != 3 {
			t.Fatalf("%q, then %q", got, again)
		}
		first[got[0]]++
	}
	if len(first) != 3 {
		t.Errorf("first of 64: %v", first)
	}
	if !slices.IsSorted(places) {
		t.Errorf("the places are in another order now: %q", places)
	}
}

// What comes location by location names the places, and none when one of them is away.
func TestTurns_APlaceIsAway(t *testing.T) {
	type wish struct {
		Items []string
		Pace  struct {
			RequestsPerSecond float64
			Refetch           bool

			ByLocation *struct {
				First        []string
				PauseSeconds float64
			}
		}
	}
	var got []wish
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var x wish
		if err := json.Unmarshal(b, &x); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		if got = append(got, x); len(got) == 1 {
			http.Error(w, "There is no edge at the location FRA.", http.StatusBadRequest)
			return
		}
		io.WriteString(w, `{"id": "I1"}`)
	}))
	defer api.Close()
	w := &warmfront{apis: []string{api.URL}, client: api.Client(), distID: "D1", places: []string{"FRA", "IAD"}, key: sigv4.Signer{AccessKeyID: "a", SecretAccessKey: "s"}}
	id, err := w.create(t.Context(), Batch{Items: []string{"/a"}, Turns: &Turns{Order: 1, Pause: 50 * time.Millisecond}, Pace: 300, Refetch: true})
	if err != nil || id != "I1" || len(got) != 2 {
		t.Fatalf("%q, %v, %v", id, err, got)
	}
	for i, named := range []int{2, 0} {
		if b := got[i].Pace.ByLocation; b == nil || len(b.First) != named || b.PauseSeconds != 0.05 || got[i].Pace.RequestsPerSecond != 300 || !got[i].Pace.Refetch {
			t.Errorf("wish %d: %+v", i, got[i])
		}
	}
}

// What is left of the turns is withdrawn; then it is known for whom the others were, when they have ended. What is in force everywhere
// is waited for until it is Completed.
func TestTurns_Withdrawn(t *testing.T) {
	const (
		begun = `{"invalidation": {"status": "Withdrawn", "waves": [{"completed": "2026-11-26T10:00:00Z"}, {"completed": null}]}}`
		ended = `{"invalidation": {"status": "Withdrawn", "waves": [{"completed": "2026-11-26T10:00:00Z"}, {"completed": "2026-11-26T10:00:01Z"}]},
			"edges": [{"edge": "FRA50-1"}, {"edge": "GRU50-1", "waits": true}, {"edge": "IAD89-1", "unbound": true}]}`
		never = `{"invalidation": {"status": "Withdrawn", "waves": []}, "edges": [{"edge": "FRA50-1", "waits": true}]}`
	)
	for name, c := range map[string]struct {
		withdrawal int
		receipts   []string
		want       []string
	}{
		"on the way":    {http.StatusOK, []string{`{"invalidation": {"status": "InProgress", "waves": []}}`, begun, ended}, []string{signature("FRA50-1")}},
		"before it was": {http.StatusOK, []string{never}, []string{}},
		"too late":      {http.StatusConflict, nil, nil},
	} {
		withdrawals := 0
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/warmfront/v1/distributions/D1/invalidations/I1/withdraw":
				withdrawals++
				w.WriteHeader(c.withdrawal)
			case r.URL.Path == "/warmfront/v1/distributions/D1/invalidations/I1/receipt":
				io.WriteString(w, c.receipts[0])
				c.receipts = c.receipts[1:]
			default:
				io.WriteString(w, `<Invalidation><Id>I1</Id><Status>Completed</Status></Invalidation>`)
			}
		}))
		w := &warmfront{apis: []string{api.URL}, client: api.Client(), distID: "D1", places: []string{"FRA50", "GRU50", "IAD89"}, key: sigv4.Signer{AccessKeyID: "a", SecretAccessKey: "s"}}
		o, err := w.outcome(t.Context(), "I1", &Turns{Withdraw: 1})
		if err != nil || !slices.Equal(o.Only, c.want) || (o.Only == nil) != (c.want == nil) || len(c.receipts) > 0 || withdrawals == 0 {
			t.Errorf("%s: %+v, %v, after %d withdrawals", name, o, err, withdrawals)
		}
		api.Close()
	}
}

// For whom Completed does not speak is what a receipt says that knows of Completed: another control node than the one that has said so may not yet.
func TestUnbound_IsAskedOfWhoKnowsOfCompleted(t *testing.T) {
	receipts := []string{
		`{"invalidation": {"status": "InProgress"}, "edges": [{"edge": "FRA50-1"}, {"edge": "IAD89-1"}]}`,
		`{"invalidation": {"status": "Completed"}, "edges": [{"edge": "FRA50-1"}, {"edge": "IAD89-1", "unbound": true}]}`,
		`{"invalidation": {"status": "InProgress"}, "edges": [{"edge": "FRA50-1"}, {"edge": "IAD89-1"}]}`,
		`{"invalidation": {"status": "Completed"}, "edges": [{"edge": "FRA50-1"}, {"edge": "IAD89-1"}]}`,
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/warmfront/v1/distributions/D1/invalidations/I1/receipt" {
			io.WriteString(w, `<Invalidation><Id>I1</Id><Status>Completed</Status></Invalidation>`)
			return
		}
		io.WriteString(w, receipts[0])
		receipts = receipts[1:]
	}))
	defer api.Close()
	w := &warmfront{apis: []string{api.URL}, client: api.Client(), distID: "D1", tags: map[string]string{distribution.TagIsolation: distribution.IsolationServeStale},
		key: sigv4.Signer{AccessKeyID: "a", SecretAccessKey: "s"}}
	o, err := w.outcome(t.Context(), "I1", nil)
	if err != nil || !slices.Equal(o.Unbound, []string{signature("IAD89-1")}) || len(receipts) != 2 {
		t.Fatalf("%+v, %v, %d receipts are left", o, err, len(receipts))
	}
	if still, err := o.Still(t.Context()); err != nil || len(still) > 0 || len(receipts) > 0 {
		t.Errorf("%q, %v, %d receipts are left", still, err, len(receipts))
	}
}
