package cloudfront

import (
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// CloudFront has no word for what is not in force yet; and Completed, for which clients wait, would be a lie.
func TestInvalidation_ScheduledIsInProgressAndWithdrawnNotCompleted(t *testing.T) {
	for status, want := range map[string]string{
		control.Scheduled: "InProgress", control.InProgress: "InProgress", control.Completed: "Completed", control.Withdrawn: "Withdrawn",
	} {
		body := invalidationBody(&control.Invalidation{ID: "I1", Status: status, CreateTime: time.Unix(0, 0), Plan: &journal.Plan{}})
		doc, err := wire.Marshal("Invalidation", body)
		if err != nil || !strings.Contains(string(doc), "<Status>"+want+"</Status>") {
			t.Errorf("%s: %s, %v", status, doc, err)
		}
	}
}
