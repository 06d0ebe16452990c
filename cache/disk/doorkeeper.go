package disk

import "sync/atomic"

// doorkeeper remembers hashes that came lately: fingerprints in a table of fixed size, the older ones
// are overwritten. It errs on either side now and then. The zero doorkeeper remembers nothing yet; all
// methods may be called concurrently.
type doorkeeper struct {
	table atomic.Pointer[[doors]atomic.Uint32] // made when it is needed: 4 MiB
}

const doors = 1 << 20

// again tells whether hash has come before.
func (d *doorkeeper) again(hash uint64) bool {
	t := d.table.Load()
	if t == nil {
		t = new([doors]atomic.Uint32)
		if !d.table.CompareAndSwap(nil, t) {
			t = d.table.Load()
		}
	}
	print := uint32(hash>>32) | 1
	return t[hash%doors].Swap(print) == print
}
