package invalidation

// Rules with conditions stand beside those without, at the same place of the same trie: few of them in a row, many in a
// trie of their own by what their conditions say:
//
//	status NUL type NUL host NUL time [everything]
//
// A condition that is not made is the empty word; the time is sixteen digits, or unboundedDigit. A rule with several
// values of a condition is filed under each, so that an object finds all that may mean it under the few words that
// are true of it: its status and the class of that, its type and the kind of that, its host, and nothing. Only the times
// have to be compared, and there the walk goes to the greatest number below a node first.

// maxCells bounds under how many combinations of values a rule is filed. The condition with the most values is then
// left out of the words, and the rule stands under everything it says, to be asked itself.
const maxCells = 8

// unboundedDigit stands in place of a time, and is greater than the digits of any.
const unboundedDigit = "g"

// file returns the keys of a rule with these conditions.
func (w *Where) file() []string {
	words := [3][]string{w.status, w.types, w.hosts}
	rest := ""
	for product(words) > maxCells {
		most := 0
		for i := range words {
			if len(words[i]) > len(words[most]) {
				most = i
			}
		}
		words[most] = nil
		rest = w.String()
	}
	digits := unboundedDigit
	if w.before != unbounded {
		var b [timeDigits]byte
		writeTime(&b, w.before)
		digits = string(b[:])
	}
	cells := []string{""}
	for _, values := range words {
		if len(values) == 0 {
			values = []string{""}
		}
		var longer []string
		for _, cell := range cells {
			for _, v := range values {
				longer = append(longer, cell+v+"\x00")
			}
		}
		cells = longer
	}
	for i := range cells {
		cells[i] += digits + rest
	}
	return cells
}

func product(words [3][]string) int {
	n := 1
	for _, values := range words {
		n *= max(1, len(values))
	}
	return n
}

const timeDigits = 16

// writeTime writes digits that are in the order of the times.
func writeTime(b *[timeDigits]byte, nanos int64) {
	const digits = "0123456789abcdef"
	n := uint64(nanos) ^ 1<<63 // in the order of unsigned numbers
	for i := range b {
		b[i] = digits[n>>60]
		n <<= 4
	}
}

// putCells adds r under each of its cells.
func putCells(n *node, r *rule) (_ *node, more int) {
	for _, cell := range r.where.cells {
		var one int
		n, one = n.putBelow(ahead, cell, r.seq, func(n *node) int {
			if n.whole == nil {
				n.whole = r
				return 1
			}
			if n.whole.seq < r.seq {
				n.whole = r
			}
			return 0
		})
		more += one
	}
	return n, more
}
