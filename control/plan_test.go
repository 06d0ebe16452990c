package control

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// plan makes a planned invalidation that must be accepted.
func (h *harness) plan(d *Distribution, reference string, terms Terms, items ...string) *Invalidation {
	h.t.Helper()
	inv, _, err := h.Invalidate(h.t.Context(), someone, d.ID, batch(reference, items...), terms)
	if err != nil {
		h.t.Fatalf("plan %v: %v", items, err)
	}
	synctest.Wait()
	return inv
}

func in(d time.Duration) Terms { return Terms{At: time.Now().Add(d)} }

func TestPlan_ComesIntoForceAtItsTimeAndOnce(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge, d := h.join("FRA50-1"), h.create("a")
		edge.ackAll()
		began, before := time.Now(), h.log.Last()
		inv := h.plan(d, "i", in(90*time.Minute), "/a")
		h.plan(d, "sooner", in(time.Minute), "/b")
		h.wantStatus(inv, Scheduled)
		if v, _ := h.Distribution(d.ID); v.InProgressInvalidations != 2 {
			t.Errorf("%d in progress", v.InProgressInvalidations)
		}
		time.Sleep(90*time.Minute - time.Second)
		h.wantStatus(inv, Scheduled)
		time.Sleep(time.Second)
		synctest.Wait()
		h.wantStatus(inv, InProgress)
		edge.ackAll()
		h.wantStatus(inv, Completed)
		v, _ := h.Invalidation(d.ID, inv.ID)
		if !v.CreateTime.Equal(began) || !v.InForce.Equal(began.Add(90*time.Minute)) || v.By != someone || v.CallerReference != "i" || !v.Plan.At.Equal(v.InForce) {
			t.Errorf("%+v", v)
		}
		if r, _ := h.Receipt(d.ID, inv.ID); len(r.Edges) != 1 || r.Took > time.Second {
			t.Errorf("the receipt counts from when it was in force: %+v", r)
		}
		time.Sleep(time.Hour)
		if got := strings.Count(h.facts(before), "Invalidated[/a]"); got != 1 {
			t.Errorf("it came into force %d times", got)
		}
	})
}

// Two control nodes on one log, both of which see that it is time.
func TestPlan_OnceWithSeveralNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		a, b := start(t, log, Limits{}), start(t, log, Limits{})
		defer a.stop()
		defer b.stop()
		inv := a.plan(a.create("a"), "i", in(time.Hour), "/a")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := strings.Count(a.facts(0), "Invalidated[/a]"); got != 1 {
			t.Errorf("it came into force %d times", got)
		}
		a.wantStatus(inv, Completed)
		b.wantStatus(inv, Completed)
	})
}

func TestPlan_SurvivesARestartAlsoWhenItsTimeWasMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		h := start(t, log, Limits{})
		inv := h.plan(h.create("a"), "i", in(time.Hour), "/a")
		h.stop()
		time.Sleep(3 * time.Hour)
		h = start(t, log, Limits{})
		defer h.stop()
		synctest.Wait()
		h.wantStatus(inv, Completed)
	})
}

func TestWithdraw_BeforeAndNotAfter(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		before := h.log.Last()
		inv := h.plan(d, "i", in(time.Hour), "/a")
		for range 2 { // also again
			v, err := h.Withdraw(t.Context(), someone, d.ID, inv.ID)
			if err != nil || v.Status != Withdrawn || v.Withdrawn.IsZero() || !v.InForce.IsZero() || !v.CreateTime.Equal(inv.CreateTime) {
				t.Errorf("%+v, %v", v, err)
			}
			synctest.Wait()
			time.Sleep(time.Minute)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		h.wantStatus(inv, Withdrawn)
		if got := h.facts(before); got != "Scheduled[/a]\nWithdrawn" {
			t.Errorf("%s", got)
		}
		late := h.plan(d, "late", in(time.Hour), "/b")
		time.Sleep(time.Hour)
		synctest.Wait()
		_, err := h.Withdraw(t.Context(), someone, d.ID, late.ID)
		wantCode(t, err, "Conflict")
		_, err = h.Withdraw(t.Context(), someone, d.ID, h.invalidate(d, "plain", "/c").ID)
		wantCode(t, err, "Conflict")
		_, err = h.Withdraw(t.Context(), someone, d.ID, "I0")
		wantCode(t, err, "NoSuchInvalidation")
		var actions []string
		for _, line := range h.trail() {
			actions = append(actions, strings.Fields(line)[0])
		}
		want := []string{"CreateDistribution", "ScheduleInvalidation", "WithdrawInvalidation", "ScheduleInvalidation", "InvalidationInForce", "CreateInvalidation"}
		if !slices.Equal(actions, want) {
			t.Errorf("the trail has %v", actions)
		}
	})
}

// looker is a node's Look that a test decides.
type looker struct {
	mu     sync.Mutex
	asked  []string
	status int
	values []string
	err    error
}

func (l *looker) look(_ context.Context, u *url.URL, field string) (int, []string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, u.String()+" "+field)
	return l.status, l.values, l.err
}

func (l *looker) answers(status int, err error, values ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status, l.err, l.values = status, err, values
}

func (l *looker) questions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

func TestPlan_WaitsForItsCondition(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		l := new(looker)
		l.answers(200, nil, `"v1"`)
		h.cfg.Look = l.look
		d := h.create("a")
		inv := h.plan(d, "i", Terms{When: &journal.Condition{URL: "https://origin.example.com/version?x=1", Field: "ETag", Value: "v2"}}, "/a")
		if asked := l.questions(); len(asked) != 1 || asked[0] != "https://origin.example.com/version?x=1 ETag" {
			t.Errorf("asked %q", asked)
		}
		said := func(want string) {
			t.Helper()
			time.Sleep(lookEvery)
			synctest.Wait()
			if got, ok := h.Looked(inv.ID); !ok || got.Said != want || time.Since(got.At) > lookEvery {
				t.Errorf("%+v, want %q", got, want)
			}
			h.wantStatus(inv, Scheduled)
		}
		said(`the origin answers 200 with ETag: "v1"`)
		l.answers(200, nil)
		said("the origin answers 200 without ETag")
		l.answers(0, errors.New("connection refused"))
		said("connection refused")
		l.answers(404, nil, "v2")
		said("the origin answers 404")
		h.update(d, comment("the origin's name is as it was"))
		l.answers(200, nil, `W/"v2"`)
		time.Sleep(lookEvery)
		synctest.Wait()
		h.wantStatus(inv, Completed)
		asked := len(l.questions())
		time.Sleep(time.Hour)
		if more := len(l.questions()) - asked; more != 0 {
			t.Errorf("asked %d times more", more)
		}
		if asked > 7 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// Of as many conditions as may wait, for an origin that does not answer, none holds up what another waits for, or what is due.
func TestPlan_AnOriginThatDoesNotAnswerHoldsUpNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.cfg.Look = func(ctx context.Context, u *url.URL, _ string) (int, []string, error) {
			if u.Path == "/slow" {
				<-ctx.Done()
				return 0, nil, ctx.Err()
			}
			return 200, []string{"v2"}, nil
		}
		d := h.create("a")
		when := func(path string) Terms {
			return Terms{When: &journal.Condition{URL: "https://origin.example.com" + path, Field: "ETag", Value: "v2"}}
		}
		var slow *Invalidation
		for i := range 98 {
			slow = h.plan(d, fmt.Sprint("slow", i), when("/slow"), "/a")
		}
		timed := h.plan(d, "timed", in(7*time.Second), "/b")
		met := h.plan(d, "met", when("/"), "/c")
		time.Sleep(lookEvery)
		synctest.Wait()
		h.wantStatus(met, Completed)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		h.wantStatus(timed, Completed)
		time.Sleep(lookEvery)
		synctest.Wait()
		h.wantStatus(slow, Scheduled)
		if got, _ := h.Looked(slow.ID); got.Said != "the origin did not answer within 5s" || time.Since(got.At) > 2*lookEvery {
			t.Errorf("%+v", got)
		}
	})
}

func TestMet(t *testing.T) {
	for _, k := range []struct {
		field, want string
		values      []string
		met         bool
	}{
		{"ETag", "v2", []string{`"v2"`}, true},
		{"etag", `W/"v2"`, []string{`"v2"`}, true},
		{"ETag", "v2", []string{`"v20"`}, false},
		{"X-Release", "42", []string{"41", " 42"}, true},
		{"X-Release", "42", []string{"142"}, false},
		{"X-Release", `"42"`, []string{"42"}, false},
		{"X-Release", "42", nil, false},
	} {
		if got := met(&journal.Condition{Field: k.field, Value: k.want}, k.values); got != k.met {
			t.Errorf("%+v: %t", k, got)
		}
	}
}

func TestPlan_Refusals(t *testing.T) {
	bubbleLimits(t, Limits{Scheduled: 3, Conditions: 2}, func(t *testing.T, h *harness) {
		d := h.create("a")
		refused := func(want string, terms Terms) {
			t.Helper()
			_, _, err := h.Invalidate(t.Context(), someone, d.ID, batch("new", "/a"), terms)
			wantCode(t, err, want)
		}
		when := func(u, field, value string) Terms {
			return Terms{When: &journal.Condition{URL: u, Field: field, Value: value}}
		}
		good := when("http://ORIGIN.example.com:80/v", "ETag", "x")
		refused("InvalidArgument", in(0))
		refused("InvalidArgument", in(-time.Second))
		refused("InvalidArgument", in(furthest+time.Second))
		refused("InvalidArgument", Terms{At: time.Now().Add(time.Hour), When: good.When})
		for _, u := range []string{"", "/v", "ftp://origin.example.com/", "http://", "http://other.example.com/", "http://a:b@origin.example.com/",
			"http://origin.example.com/#x", "http://origin.example.com.evil.example/", "http://origin.example.com:8080/", "http://origin.example.com:443/", "http://169.254.169.254/", "http://%zz"} {
			refused("InvalidArgument", when(u, "ETag", "x"))
		}
		refused("InvalidArgument", when("http://origin.example.com/", "", "x"))
		refused("InvalidArgument", when("http://origin.example.com/", "a b", "x"))
		refused("InvalidArgument", when("http://origin.example.com/", "ETag", ""))
		refused("InvalidArgument", when("http://origin.example.com/", "ETag", "a\nb"))

		first := h.plan(d, "r", good, "/a")
		if again := h.plan(d, "r", good, "/a"); again.ID != first.ID {
			t.Error("a repeated request has made another")
		}
		_, _, err := h.Invalidate(t.Context(), someone, d.ID, batch("r", "/a"), in(time.Hour))
		wantCode(t, err, "InvalidationBatchAlreadyExists")
		_, _, err = h.Invalidate(t.Context(), someone, d.ID, batch("r", "/b"), good)
		wantCode(t, err, "InvalidationBatchAlreadyExists")
		h.plan(d, "r2", good, "/a")
		refused("TooManyInvalidationsInProgress", good)
		h.plan(d, "r3", in(time.Hour), "/a")
		refused("TooManyInvalidationsInProgress", in(time.Hour))
		if got := h.found(HistoryFilter{Status: Scheduled}, 2); !slices.Equal(got, []string{"r3", "r2", "r"}) {
			t.Errorf("scheduled are %v", got)
		}
	})
}

func TestList_ScheduledInvalidationsFirst(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		for _, r := range []string{"p1", "p2"} {
			h.plan(d, r, in(time.Hour), "/a")
		}
		h.invalidate(d, "i1", "/a")
		var got []string
		for marker := ""; ; {
			p, err := h.Invalidations(d.ID, marker, 1)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Items[0].CallerReference)
			if marker = p.NextMarker; marker == "" {
				break
			}
		}
		if !slices.Equal(got, []string{"p2", "p1", "i1"}) {
			t.Errorf("%v", got)
		}
	})
}
