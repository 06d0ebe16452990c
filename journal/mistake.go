package journal

import "github.com/warmfront/warmfront/internal/mistake"

// Mistakes that a build with the tag "planted" makes on purpose.
const (
	noLease        mistake.Name = "no-lease"        // S3: who has had a lease is taken to have it
	youngUnsynced  mistake.Name = "young-unsynced"  // S5: what is young counts before the first probe, too
	noSelfFence    mistake.Name = "no-self-fence"   // P4: an edge that is cut off goes on with what is young for ever
	shortFence     mistake.Name = "short-fence"     // P4: who is silent is taken to be gone before its lease has run out
	shortWait      mistake.Name = "short-wait"      // P3: the slow path does not wait until leases have run out
	probeRead      mistake.Name = "probe-read"      // P1: a probe is answered with a number that was in the log before
	compactionKept mistake.Name = "compaction-kept" // E1: who was away for longer than the log goes back goes on
	ackByNumber    mistake.Name = "ack-by-number"   // P3: an acknowledgement counts for whatever entry has its number
)

func init() {
	mistake.Know(noLease, youngUnsynced, noSelfFence, shortFence, shortWait, probeRead, compactionKept, ackByNumber)
}
