package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/ownapi/client"
)

// doubtedNamed is how many edges are named.
const doubtedNamed = 10

// doubtLines say why invalidations are Completed by time alone, and what ends that; none where they are not.
func doubtLines(d *client.Doubt) []string {
	if d == nil {
		return nil
	}
	end := "this ends at " + d.Until.Local().Format(dateTime) + ", when what edges were allowed before has run out"
	if d.Unheard > 0 {
		end = "still to be heard, or removed: " + strings.Join(d.Edges[:min(len(d.Edges), doubtedNamed)], ", ")
		if more := d.Unheard - min(len(d.Edges), doubtedNamed); more > 0 {
			end += fmt.Sprintf(" and %d more", more)
		}
	}
	return []string{
		"The journal is doubted since " + d.Since.Local().Format(dateTime) + ": it was restored, copied, or opened in spite of a loss.",
		clean("Invalidations are Completed by time alone, after " + journal.Timing{}.Wait().Round(time.Second).String() + "; " + end),
	}
}
