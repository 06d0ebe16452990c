//go:build planted

package machines

import (
	"os"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/mistake"
)

// planted are rules that the code leaves out, one at a time: those of model/README.md by their names there, and others. Each must be found
// among the first so many schedules.
//
// Two are not the same here as there. What is stored unchecked (M9) does no harm to this code, for lookups look and rules stay while a fill is
// in flight: the rule that has its place is E4's. And young objects right after a restart (M11) do none as long as nothing is served
// before the own join, so that goes, too.
var planted = []struct {
	model  string
	name   mistake.Name
	within uint64
}{
	{"M1_NOINFLIGHT", "stamp-at-store", 100},
	{"M2_NOMINSEQ", "parent-behind", 1000},
	{"M3_NOLEASE", "no-lease", 1000},
	{"M4_NOSWEEP", "restart-trusted", 1000},
	{"M5_SHORTWAIT", "short-wait", 100},
	{"M6_STALEREAD", "probe-read", 20000},
	{"M7_NOJOIN", "not-joined", 1000},
	{"M8_KEEPFRESH", "serves-early", 1000},
	{"M9_STOREANY", "sweep-races-fill", 100},
	{"M10_NODROP", "compaction-kept", 20000},
	{"M10_NODROP", "mark-uncompared", 20000},
	{"M11_NOSYNCGATE", "young-unsynced", 1000},
	{"M12_NOFLOOR", "least-of-rules", 50000},
	{"M13_NOPRED", "parent-unchecked", 100},
	{"M14_NOSELFFENCE", "no-self-fence", 20000},
	{"M15_SHORTFENCE", "short-fence", 1000},
	{"", "hit-unchecked", 100},
	{"", "compact-too-early", 100},
	{"", "load-races-sweep", 50000},
	{"", "ack-by-number", 10000},
}

// WARMFRONT_PLANT has TestMachines make one, to be told how a schedule finds it.
func init() { mistake.Plant(mistake.Name(os.Getenv("WARMFRONT_PLANT"))) }

func TestMachines_FindPlantedMistakes(t *testing.T) {
	for _, m := range planted {
		t.Run(string(m.name), func(t *testing.T) {
			mistake.Plant(m.name)
			defer mistake.Plant("")
			for seed := uint64(1); seed <= m.within; seed++ {
				for _, v := range schedule(seed, nil).violated {
					if !strings.HasPrefix(v, "in the end") { // one that is only stuck could be so by another fault
						t.Logf("%s: seed %d: %s", m.model, seed, v)
						return
					}
				}
			}
			t.Errorf("none of %d schedules shows it", m.within)
		})
	}
}
