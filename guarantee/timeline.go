package guarantee

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Print writes the counterexample as a person would tell it: what was written, demanded and asked, in
// order, of the one object that it is about.
func (v *Violation) Print(w io.Writer, edges []string) {
	a := &v.Answer
	fmt.Fprintf(w, "VIOLATION, %s\n\n", v)
	fmt.Fprintf(w, "  %12s  %-12s %s\n", "ms", "who", "what")
	for _, e := range v.relevant() {
		who, what := e.tell(edges)
		mark := " "
		if e.Answer != nil && e.Answer.Sent == a.Sent && e.Answer.Reader == a.Reader {
			mark = ">"
		}
		fmt.Fprintf(w, "%s %12.3f  %-12s %s\n", mark, float64(e.At)/float64(time.Millisecond), who, what)
	}
	fmt.Fprintln(w)
}

// shown is how many events a counterexample has at most, beside those that prove it.
const shown = 24

// relevant picks the events that matter: what proves the violation, and what else happened to the
// object just before. An answer appears when it was asked for and when it ended.
func (v *Violation) relevant() []Event {
	a := &v.Answer
	from := a.Sent
	var out []Event
	for _, e := range v.Events {
		proof := e.Written != 0 && (e.Written == v.Floor || e.Written == a.Version) ||
			v.By != nil && (e.Created == v.By || e.Completed == v.By) ||
			e.Fill != nil && e.Fill.Number == a.Fill
		if proof && e.At < from {
			from = e.At
		}
		if e.Fill != nil && e.Fill.Number == a.Fill && e.Fill.Asked < from {
			from = e.Fill.Asked
		}
	}
	for _, e := range v.Events {
		if e.At >= from {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(x, y Event) int { return int(x.At - y.At) })
	if extra := len(out) - shown; extra > 0 {
		out = slices.DeleteFunc(out, func(e Event) bool {
			drop := extra > 0 && e.Answer != nil && (e.Answer.Sent != a.Sent || e.Answer.Reader != a.Reader)
			if drop {
				extra--
			}
			return drop
		})
	}
	return out
}

// tell says who did what.
func (e *Event) tell(edges []string) (who, what string) {
	switch {
	case e.Written != 0:
		return "origin", fmt.Sprintf("version %d is written", e.Written)
	case e.Created != nil:
		return fmt.Sprintf("writer %d", e.Created.Writer), fmt.Sprintf("creates %s %d: %s", e.Created.kind(), e.Created.Number, strings.Join(e.Created.Items, " ")+e.Created.Where.String()+e.Created.Turns.String()+e.Created.paced())
	case e.Completed != nil:
		return fmt.Sprintf("writer %d", e.Completed.Writer), fmt.Sprintf("%s %d %s", e.Completed.kind(), e.Completed.Number, e.holds())
	case e.Fill != nil:
		f := e.Fill
		return "origin", fmt.Sprintf("answer %d: %d, version %d%s; had been asked %s before", f.Number, f.Status, f.Version, asking(f.Condition), ms(f.Sent-f.Asked))
	}
	a := e.Answer
	what = fmt.Sprintf("%s%s at %s, asked %s before: %d", a.Method, asking(a.Asking), edges[a.Edge], ms(a.End-a.Sent), a.Status)
	if a.Version != 0 {
		what += fmt.Sprintf(", version %d, of answer %d", a.Version, a.Fill)
	}
	if a.Cache != "" {
		what += ", " + a.Cache
	}
	if a.Cut {
		what += ", cut"
	}
	return fmt.Sprintf("reader %d", a.Reader), what
}

// holds says for whom it does.
func (e *Event) holds() string {
	switch {
	case e.Only == nil:
		return "is Completed"
	case e.Completed.Withdrawn:
		return "is withdrawn, and in force for " + strings.Join(e.Only, " ")
	}
	return "is Completed for " + strings.Join(e.Only, " ") + ", too"
}

// paced says how fast what it has dropped is asked for.
func (i *Invalidation) paced() string {
	if i.Pace == 0 {
		return ""
	}
	return fmt.Sprintf(", paced %d/s", i.Pace)
}

// kind is what it is called.
func (i *Invalidation) kind() string {
	if i.Soft {
		return "marking"
	}
	return "invalidation"
}

func asking(s string) string {
	if s == "" {
		return ""
	}
	return " with " + s
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d)/float64(time.Millisecond)) }
