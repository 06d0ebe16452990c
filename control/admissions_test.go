package control

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// invite makes a token whose hash is "h".
func (h *harness) invite(token, edge string) {
	h.t.Helper()
	err := h.InviteEdge(h.t.Context(), someone, Invitation{Token: token, Hash: "h", Edge: edge, Location: LocationOf(edge), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		h.t.Fatal(err)
	}
}

// machine does something with an edge of another machine; that it is refused is part of life.
func (l *life) machine(name string) {
	h, ctx, edge := l.h, l.h.t.Context(), fmt.Sprintf("M%02d", l.r.IntN(3))
	switch l.r.IntN(5) {
	case 0:
		h.InviteEdge(ctx, someone, Invitation{Token: "t" + name, Hash: "h", Edge: edge, Location: "FRA50", Expires: time.Now().Add(time.Hour)})
		l.tokens = append(l.tokens, "t"+name)
	case 1, 2:
		if len(l.tokens) > 0 {
			h.AdmitEdge(ctx, l.tokens[l.r.IntN(len(l.tokens))], "h", name)
		}
	case 3:
		h.RemoveEdge(ctx, someone, edge)
	case 4:
		a, _ := h.Admitted(edge)
		h.RenewEdge(ctx, edge, a.Serial, name)
	}
}

func TestAdmission_OneTokenOneEdge(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.invite("t", "FRA50-1")
		wantRefused := func(err error, says string) {
			t.Helper()
			var no *Error
			if !errors.As(err, &no) || no.Code != "AccessDenied" || !strings.Contains(no.Message, says) {
				t.Errorf("%v, want %q", err, says)
			}
		}
		wantRefused(h.AdmitEdge(t.Context(), "t", "other", "1"), "not known")
		wantRefused(h.AdmitEdge(t.Context(), "u", "h", "1"), "not known")
		if _, ok := h.Admitted("FRA50-1"); ok {
			t.Fatal("admitted without its token")
		}
		// Of many who come with one token at once, one is admitted.
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = h.AdmitEdge(t.Context(), "t", "h", fmt.Sprint(i)) })
		}
		wg.Wait()
		got, ok := h.Admitted("FRA50-1")
		for i, err := range errs {
			if fmt.Sprint(i) == got.Serial {
				if err != nil {
					t.Errorf("%d was admitted, and told %v", i, err)
				}
				continue
			}
			wantRefused(err, "used up")
		}
		if !ok || got.Location != "FRA50" {
			t.Errorf("%+v", got)
		}
		// A machine that takes another's place: the earlier certificate counts no more.
		h.invite("v", "FRA50-1")
		if err := h.AdmitEdge(t.Context(), "v", "h", "new"); err != nil {
			t.Fatal(err)
		}
		if got, _ := h.Admitted("FRA50-1"); got.Serial != "new" {
			t.Errorf("%+v", got)
		}
		h.invite("w", "FRA50-2")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		wantRefused(h.AdmitEdge(t.Context(), "w", "h", "1"), "expired")
		if i, ok := h.Invited("w"); !ok || i.Edge != "FRA50-2" {
			t.Errorf("%+v", i)
		}
		time.Sleep(24 * time.Hour)
		h.invite("x", "FRA50-2")
		if _, ok := h.Invited("w"); ok {
			t.Error("a token is remembered for ever")
		}
	})
}

// A renewed certificate counts beside the one that it was asked for with, whatever was lost on the way; others do not.
func TestAdmission_Renewal(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.invite("t", "FRA50-1")
		wantCode(t, h.RenewEdge(ctx, "FRA50-1", "", "2"), "AccessDenied")
		if err := h.AdmitEdge(ctx, "t", "h", "1"); err != nil {
			t.Fatal(err)
		}
		shows := func(want ...string) {
			t.Helper()
			a, _ := h.Admitted("FRA50-1")
			for _, serial := range []string{"", "1", "2", "3", "4", "5"} {
				if got := a.Shows(serial); got != slices.Contains(want, serial) {
					t.Errorf("%q counts: %t; want %q", serial, got, want)
				}
			}
		}
		renew := func(now, next string) {
			t.Helper()
			if err := h.RenewEdge(ctx, "FRA50-1", now, next); err != nil {
				t.Errorf("from %s to %s: %v", now, next, err)
			}
		}
		wantCode(t, h.RenewEdge(ctx, "FRA50-1", "7", "2"), "AccessDenied")
		wantCode(t, h.RenewEdge(ctx, "FRA50-1", "", "2"), "AccessDenied")
		renew("1", "2")
		shows("1", "2")
		wantCode(t, h.RenewEdge(ctx, "FRA50-1", "1", "3"), "Conflict") // the journal does not grow by who asks all the time
		time.Sleep(renewPause)
		renew("1", "3") // the answer with 2 was lost
		shows("1", "3")
		time.Sleep(renewPause)
		renew("3", "4")
		shows("3", "4")
		h.invite("u", "FRA50-1")
		if err := h.AdmitEdge(ctx, "u", "h", "5"); err != nil {
			t.Fatal(err)
		}
		shows("5")
		if err := h.RemoveEdge(ctx, someone, "FRA50-1"); err != nil {
			t.Fatal(err)
		}
		shows()
		wantCode(t, h.RenewEdge(ctx, "FRA50-1", "5", "1"), "AccessDenied")
	})
}

func TestAdmission_InvitationsThatAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		good := Invitation{Token: "t", Hash: "h", Edge: "FRA50-1", Location: "FRA50", Expires: time.Now().Add(time.Hour)}
		for _, change := range []func(*Invitation){
			func(i *Invitation) { i.Edge = "" },
			func(i *Invitation) { i.Edge = "a.b" },
			func(i *Invitation) { i.Edge = "-1" },
			func(i *Invitation) { i.Edge = strings.Repeat("x", 64) },
			func(i *Invitation) { i.Location = "" },
			func(i *Invitation) { i.Location = "Frankfurt" },
			func(i *Invitation) { i.Expires = time.Now() },
		} {
			bad := good
			change(&bad)
			wantCode(t, h.InviteEdge(t.Context(), someone, bad), "InvalidArgument")
		}
		for i := range maxInvited {
			good.Token = fmt.Sprint(i)
			if err := h.InviteEdge(t.Context(), someone, good); err != nil {
				t.Fatal(err)
			}
		}
		good.Token = "more"
		wantCode(t, h.InviteEdge(t.Context(), someone, good), "Conflict")
		// They do not stand in the way for ever.
		time.Sleep(time.Until(good.Expires) + rememberToken + time.Second)
		good.Expires = time.Now().Add(time.Hour)
		if err := h.InviteEdge(t.Context(), someone, good); err != nil {
			t.Errorf("long after: %v", err)
		}
	})
}

// P2, P4: who may still answer is neither removed nor replaced.
func TestAdmission_RemovesOnlyTheDead(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.invite("t", "FRA50-1")
		if err := h.AdmitEdge(t.Context(), "t", "h", "1"); err != nil {
			t.Fatal(err)
		}
		e := h.join("FRA50-1")
		h.invite("u", "FRA50-1")
		wantCode(t, h.AdmitEdge(t.Context(), "u", "h", "2"), "Conflict")
		wantCode(t, h.RemoveEdge(t.Context(), someone, "FRA50-1"), "Conflict")
		time.Sleep(journal.Timing{}.Wait() - time.Second)
		e.ackAll()
		time.Sleep(journal.Timing{}.Wait() - time.Second)
		wantCode(t, h.RemoveEdge(t.Context(), someone, "FRA50-1"), "Conflict")
		time.Sleep(2 * time.Second)
		if err := h.RemoveEdge(t.Context(), someone, "FRA50-1"); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.Admitted("FRA50-1"); ok || len(h.Nodes()) != 0 {
			t.Errorf("still there: %+v", h.Nodes())
		}
		wantCode(t, h.RemoveEdge(t.Context(), someone, "FRA50-1"), "NoSuchEdge")
		if err := h.AdmitEdge(t.Context(), "u", "h", "2"); err != nil {
			t.Errorf("in the place of one that is gone: %v", err)
		}
	})
}

// The control node that is asked has not heard the edge, and another one has.
func TestAdmission_RemovedIsWaitedForAllTheSame(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		h.invite("t", "FRA50-1")
		if err := h.AdmitEdge(t.Context(), "t", "h", "1"); err != nil {
			t.Fatal(err)
		}
		h.join("FRA50-1")
		time.Sleep(journal.Timing{}.Wait() + time.Second)
		if err := h.RemoveEdge(t.Context(), someone, "FRA50-1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		inv := h.invalidate(d, "i", "/a")
		time.Sleep(journal.Timing{}.Wait() - 1500*time.Millisecond)
		h.wantStatus(inv, InProgress)
		time.Sleep(time.Second) // though it is not as long ago that it was accepted
		h.wantStatus(inv, Completed)
		h.wantStatus(h.invalidate(d, "j", "/a"), Completed)
	})
}

func TestLocationOf(t *testing.T) {
	for edge, want := range map[string]string{"FRA50-1": "FRA50", "FRA50-P1": "FRA50-P1", "FRA50-P1-12": "FRA50-P1", "FRA50": "FRA50", "a": "a"} {
		if got := LocationOf(edge); got != want {
			t.Errorf("%s: %s, want %s", edge, got, want)
		}
	}
}

// P4, for a machine that takes another's place: while the other may hold a lease it would go on serving, and nobody waits for
// it once its successor has joined.
func TestAdmission_ReplacesOnlyTheDead(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.invite("a", "FRA50-1")
		if err := h.AdmitEdge(t.Context(), "a", "h", "1"); err != nil {
			t.Fatal(err)
		}
		first := h.join("FRA50-1")
		h.invite("b", "FRA50-1")
		wantCode(t, h.AdmitEdge(t.Context(), "b", "h", "2"), "Conflict")
		if a, _ := h.Admitted("FRA50-1"); a.Serial != "1" {
			t.Errorf("admitted is %+v", a)
		}
		time.Sleep(journal.Timing{}.Wait() - time.Second)
		wantCode(t, h.AdmitEdge(t.Context(), "b", "h", "2"), "Conflict")
		time.Sleep(2 * time.Second)
		if err := h.AdmitEdge(t.Context(), "b", "h", "2"); err != nil {
			t.Errorf("silent for long: %v", err)
		}
		first.leave()
		second := h.join("FRA50-1")
		h.invite("c", "FRA50-1")
		wantCode(t, h.AdmitEdge(t.Context(), "c", "h", "3"), "Conflict")
		second.leave()
		if err := h.AdmitEdge(t.Context(), "c", "h", "3"); err != nil {
			t.Errorf("it has left: %v", err)
		}
	})
}

// An edge that starts again while it is being removed is alive.
func TestAdmission_RemovesNobodyWhoHasJoinedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.invite("a", "FRA50-1")
		if err := h.AdmitEdge(t.Context(), "a", "h", "1"); err != nil {
			t.Fatal(err)
		}
		h.join("FRA50-1")
		time.Sleep(journal.Timing{}.Wait() + time.Second)
		// Another control node has just written that it is back, and this one does not know it yet.
		other := start(t, h.log, Limits{})
		defer other.stop()
		h.log.SetFaults(memory.Faults{Push: func(*journal.Entry) memory.Push { return memory.Dropped }})
		if _, err := other.Join(t.Context(), journal.EdgeJoined{Edge: "FRA50-1", Location: "FRA", Incarnation: "back"}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, h.RemoveEdge(t.Context(), someone, "FRA50-1"), "Conflict")
	})
}

func TestAdmission_OnlyTheAdmittedJoin(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		e := journal.EdgeJoined{Edge: "FRA50-1", Location: "FRA50", Incarnation: "i"}
		wantCode(t, h.JoinAdmitted(t.Context(), e, ""), "AccessDenied")
		h.invite("a", "FRA50-1")
		if err := h.AdmitEdge(t.Context(), "a", "h", "1"); err != nil {
			t.Fatal(err)
		}
		elsewhere := e
		elsewhere.Location = "IAD89"
		wantCode(t, h.JoinAdmitted(t.Context(), elsewhere, ""), "AccessDenied")
		if err := h.JoinAdmitted(t.Context(), e, ""); err != nil || len(h.Nodes()) != 1 {
			t.Errorf("%v, %+v", err, h.Nodes())
		}
		time.Sleep(journal.Timing{}.Wait() + time.Second)
		if err := h.RemoveEdge(t.Context(), someone, "FRA50-1"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, h.JoinAdmitted(t.Context(), e, ""), "AccessDenied")
		if len(h.Nodes()) != 0 {
			t.Errorf("a member that nobody can remove: %+v", h.Nodes())
		}
	})
}

// A machine asks to join, and while that waits for company another machine gets its name. Were the join taken for the other one's, the first
// would be put out by the other's own, as one that is known to have ended, and nobody would wait for what it still shows.
func TestAdmission_AnotherMachineHasTheName(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.invite("a", "FRA50-1")
		h.invite("b", "FRA50-1")
		if err := errors.Join(h.AdmitEdge(t.Context(), "a", "h", "1"), h.AdmitEdge(t.Context(), "b", "h", "2")); err != nil {
			t.Fatal(err)
		}
		before, after := journal.EdgeJoined{Edge: "FRA50-1", Location: "FRA50", Incarnation: "before"}, journal.EdgeJoined{Edge: "FRA50-1", Location: "FRA50", Incarnation: "after"}
		wantCode(t, h.JoinAdmitted(t.Context(), before, "1"), "AccessDenied")
		if err := h.JoinAdmitted(t.Context(), after, "2"); err != nil {
			t.Error(err)
		}
		if err := h.RenewEdge(t.Context(), "FRA50-1", "2", "3"); err != nil {
			t.Fatal(err)
		}
		for _, serial := range []string{"2", "3"} { // it may not have got the other yet
			if err := h.JoinAdmitted(t.Context(), after, serial); err != nil {
				t.Errorf("by %s: %v", serial, err)
			}
		}
	})
}
